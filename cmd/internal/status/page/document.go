package page

import (
	"strconv"

	"golang.org/x/net/html"

	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer/rotation"
)

// refresh is how often a browser asks again, in seconds. No script is needed.
const refresh = "10"

func document(r status.Report) *html.Node {
	root := &html.Node{Type: html.DocumentNode}
	root.AppendChild(&html.Node{Type: html.DoctypeNode, Data: "html"})
	root.AppendChild(el("html", attr("lang", "en"),
		el("head",
			el("meta", attr("charset", "utf-8")),
			el("meta", attr("name", "viewport"), attr("content", "width=device-width, initial-scale=1")),
			el("meta", attr("name", "color-scheme"), attr("content", "light dark")),
			el("meta", attr("http-equiv", "refresh"), attr("content", refresh)),
			el("title", "Mesh "+r.Mesh+": certificates and roots"),
			el("link", attr("rel", "icon"), attr("href", "data:,")),
			el("link", attr("rel", "stylesheet"), attr("href", "style.css"))),
		el("body", header(r), el("main", alarms(r), cards(r), replacement(r), roots(r), certificates(r), proxies(r), refusals(r)), footer(r))))
	return root
}

func header(r status.Report) *html.Node {
	mood, word := "good", "ready"
	if r.NotReady != "" {
		mood, word = "bad", "not ready"
	}
	leads := "follows"
	if r.Leads {
		leads = "leads"
	}
	return el("header",
		el("h1", "Mesh ", el("strong", r.Mesh)),
		el("p", badge(mood, word), badge("quiet", leads), code(r.Replica)),
		el("p", class("note"), "trust domain ", code(r.TrustDomain), ", namespace ", code(r.Namespace), ", version ", code(r.Version)))
}

// alarms is what is wrong.
func alarms(r status.Report) []*html.Node {
	var all []*html.Node
	if r.NotReady != "" {
		all = append(all, el("p", class("alarm"), el("strong", "This replica is not ready. "), r.NotReady))
	}
	if i := r.Issuer; !i.Works && i.Root != "" {
		all = append(all, el("p", class("alarm"), el("strong", "The issuer of "+i.Root+" fails. "), "It began ", when(r.Time, i.Since),
			", and is asked again ", when(r.Time, i.NextAttempt), ". What it certified is served as long as it is valid. ", i.Failure))
	}
	return all
}

func cards(r status.Report) *html.Node {
	signs := card("Signs", "none yet", el("span", "no root may sign"))
	for _, root := range r.Roots {
		if root.Stage == rotation.Signing {
			signs = card("Signs", root.Authority, el("span", "ends ", when(r.Time, root.NotAfter)))
			break
		}
	}
	step := card("Replacement of a root", "none", el("span", "no rotation is in progress"))
	if r.Rotation.Step != "" {
		step = card("Replacement of a root", r.Rotation.Step, el("span", "since ", when(r.Time, r.Rotation.Since)))
	}
	soonest := el("span", "of this replica")
	if at := soonestRenewal(r.Certificates); !at.IsZero() {
		soonest = el("span", "the next is renewed ", when(r.Time, at))
	}
	return el("div", class("cards"), signs, step,
		card("Certificates", strconv.Itoa(r.CertificateTotal), soonest),
		card("Sidecars connected", strconv.Itoa(r.ProxyTotal), el("span", "to this replica")))
}

func card(title, figure string, note *html.Node) *html.Node {
	return el("div", class("card"), el("h2", title), el("p", class("figure"), figure), el("p", class("note"), note))
}

func footer(r status.Report) *html.Node {
	return el("footer", el("p", "What this replica saw at ", code(r.Time.UTC().Format("2006-01-02 15:04:05 MST")),
		", again every "+refresh+" seconds. Other replicas have their own. ", el("a", attr("href", status.Path), "As JSON")))
}
