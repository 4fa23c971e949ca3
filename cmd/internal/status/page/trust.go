package page

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer/rotation"
)

// moods is the colour of each stage of a root.
var moods = map[rotation.Stage]string{rotation.Signing: "good", rotation.Distributing: "busy", rotation.Trusted: "quiet", rotation.Retiring: "quiet"}

func roots(r status.Report) *html.Node {
	var rows []*html.Node
	for _, root := range r.Roots {
		stage := el("span", badge(moods[root.Stage], string(root.Stage)))
		if !root.Until.IsZero() {
			stage.AppendChild(el("span", class("note"), " dropped ", when(r.Time, root.Until)))
		}
		rows = append(rows, row(
			el("div", el("strong", root.Authority), el("br"), el("span", class("note"), root.Subject)),
			stage, life(r.Time, root.NotBefore, root.NotAfter), code(colons(root.Fingerprint))))
	}
	return section("Trusted roots", "What sidecars verify each other with.",
		[]string{"Root", "Stage", "Ends", "SHA-256"}, rows, "No root is trusted yet: osm-bootstrap makes the first.")
}

// colons writes a fingerprint as openssl does.
func colons(fingerprint string) string {
	var b strings.Builder
	for i, r := range strings.ToUpper(fingerprint) {
		if i > 0 && i%2 == 0 {
			b.WriteByte(':')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// steps are those of the replacement of a root, and what happens in each.
var steps = [...]struct{ name, does string }{
	{"distribute", "every sidecar gets to trust the new root"},
	{"sign", "the new root signs, and certificates are replaced"},
	{"retire", "the former root stays trusted until its last certificate has ended"},
}

// rotation is shown while a root is replaced.
func replacement(r status.Report) *html.Node {
	if r.Rotation.Step == "" {
		return nil
	}
	list := el("ol", class("steps"))
	passed := "done"
	for _, step := range steps {
		state := passed
		if step.name == r.Rotation.Step {
			state, passed = "now", "later"
		}
		item := el("li", class(state), el("strong", step.name), el("span", class("note"), step.does))
		if state == "now" {
			item.Attr = append(item.Attr, attr("aria-current", "step"))
		}
		list.AppendChild(item)
	}
	return el("section", el("h2", "Replacement of a root"), list, progress(r))
}

func progress(r status.Report) *html.Node {
	p := r.Rotation.Progress
	if p == nil {
		return el("p", class("note"), "The replica that leads knows what is waited for.")
	}
	told := el("div")
	switch r.Rotation.Step {
	case "distribute":
		told.AppendChild(share(p.Pods-p.MissingTotal, p.Pods, "pods have acknowledged the new root"))
		told.AppendChild(el("p", class("note"), "It signs when all have, and at the latest ", when(r.Time, r.Rotation.Deadline), "."))
		if len(p.Missing) > 0 {
			told.AppendChild(missing(p))
		}
	case "sign":
		told.AppendChild(share(p.Replaced, p.Certificates, "certificates are of the new root"))
		if p.HeldBack > 0 {
			told.AppendChild(el("p", class("note"), fmt.Sprintf("%d more are held back for clocks that are behind.", p.HeldBack)))
		}
	}
	return told
}

func missing(p *status.Progress) *html.Node {
	list := el("p", class("note"), "Missing: ")
	for i, pod := range p.Missing {
		if i > 0 {
			list.AppendChild(el("span", ", "))
		}
		list.AppendChild(code(pod))
	}
	if more := p.MissingTotal - len(p.Missing); more > 0 {
		list.AppendChild(el("span", " and "+strconv.Itoa(more)+" more"))
	}
	return list
}
