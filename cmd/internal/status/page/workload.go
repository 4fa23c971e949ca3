package page

import (
	"strconv"
	"time"

	"golang.org/x/net/html"

	"github.com/osm-edge/osm/cmd/internal/status"
)

// most is how many rows a table has at most: a browser has to lay them out.
const most = 500

func certificates(r status.Report) *html.Node {
	var rows []*html.Node
	for _, c := range r.Certificates[:min(len(r.Certificates), most)] {
		serial := code(c.Serial)
		if c.Serial == "" {
			serial = badge("busy", "not issued yet")
		}
		rows = append(rows, row(
			el("div", el("strong", c.Namespace+"/"+c.ServiceAccount), el("br"), el("span", class("note"), c.SPIFFEID)),
			life(r.Time, c.NotBefore, c.NotAfter), when(r.Time, c.RenewAt), strconv.Itoa(c.Proxies), c.Authority, serial))
	}
	return section("Certificates by service account", "Each is shared by the pods of its service account. "+shown(len(rows), r.CertificateTotal),
		[]string{"Service account", "Ends", "Renewed", "Sidecars", "Root", "Serial"}, rows, "No sidecar has asked this replica for a certificate yet.")
}

// soonestRenewal is when the next certificate is renewed; zero without one.
func soonestRenewal(all []status.Certificate) (soonest time.Time) {
	for _, c := range all {
		if !c.RenewAt.IsZero() && (soonest.IsZero() || c.RenewAt.Before(soonest)) {
			soonest = c.RenewAt
		}
	}
	return soonest
}

func proxies(r status.Report) *html.Node {
	var rows []*html.Node
	for _, p := range r.Proxies[:min(len(r.Proxies), most)] {
		rows = append(rows, row(el("strong", p.Namespace+"/"+p.Pod), p.ServiceAccount,
			when(r.Time, p.Since), when(r.Time, p.Acked), strconv.Itoa(p.Streams)))
	}
	return section("Sidecars connected", "Those of other replicas are on their pages. "+shown(len(rows), r.ProxyTotal),
		[]string{"Pod", "Service account", "Connected", "Last acknowledged", "Streams"}, rows, "No sidecar is connected to this replica.")
}

// shown says how many rows of all are there, if not all are.
func shown(rows, all int) string {
	if rows == all {
		return ""
	}
	return "The first " + strconv.Itoa(rows) + " of " + strconv.Itoa(all) + " are shown."
}

func refusals(r status.Report) *html.Node {
	var rows []*html.Node
	for _, refused := range r.Refusals {
		rows = append(rows, row(when(r.Time, refused.Time), badge("bad", refused.Reason), code(refused.Address), refused.Message))
	}
	return section("Refusals", "The latest that this replica gave.", []string{"When", "Reason", "Address", "Answer to the sidecar"}, rows, "No proxy was refused.")
}
