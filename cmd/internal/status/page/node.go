package page

import (
	"strconv"
	"time"

	"golang.org/x/net/html"
	"k8s.io/apimachinery/pkg/util/duration"
)

// el returns an element. Its parts are attributes, elements, and text, which is
// escaped when it is rendered.
func el(name string, parts ...any) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: name}
	for _, part := range parts {
		switch p := part.(type) {
		case html.Attribute:
			n.Attr = append(n.Attr, p)
		case string:
			n.AppendChild(&html.Node{Type: html.TextNode, Data: p})
		case *html.Node:
			if p != nil {
				n.AppendChild(p)
			}
		case []*html.Node:
			for _, child := range p {
				n.AppendChild(child)
			}
		}
	}
	return n
}

func attr(name, value string) html.Attribute { return html.Attribute{Key: name, Val: value} }

func class(name string) html.Attribute { return attr("class", name) }

// badge is a word that stands out, in the colour of its mood: good, busy, bad or
// quiet.
func badge(mood, text string) *html.Node { return el("span", class("badge "+mood), text) }

func code(text string) *html.Node { return el("code", text) }

// section is a table under a heading, or what there is to say without a row.
func section(title, note string, columns []string, rows []*html.Node, none string) *html.Node {
	body := el("p", class("none"), none)
	if len(rows) > 0 {
		head := el("tr")
		for _, column := range columns {
			head.AppendChild(el("th", attr("scope", "col"), column))
		}
		body = el("div", class("wide"), el("table", el("thead", head), el("tbody", rows)))
	}
	return el("section", el("h2", title), el("p", class("note"), note), body)
}

func row(cells ...any) *html.Node {
	tr := el("tr")
	for _, cell := range cells {
		tr.AppendChild(el("td", cell))
	}
	return tr
}

// when is a moment, said from now, with the moment itself for who points at it.
func when(now, t time.Time) *html.Node {
	if t.IsZero() {
		return el("span", class("none"), "—")
	}
	text := "in " + duration.HumanDuration(t.Sub(now))
	if !t.After(now) {
		text = duration.HumanDuration(now.Sub(t)) + " ago"
	}
	stamp := t.UTC().Format(time.RFC3339)
	return el("time", attr("datetime", stamp), attr("title", stamp), text)
}

// life is how much of a time is left, as a bar and in words.
func life(now, from, until time.Time) *html.Node {
	if until.IsZero() {
		return el("span", class("none"), "—")
	}
	share := 0.0
	if whole := until.Sub(from); whole > 0 {
		share = min(1, max(0, float64(until.Sub(now))/float64(whole)))
	}
	percent := strconv.Itoa(int(100*share+0.5)) + " %"
	return el("span", class("life"),
		el("meter", attr("min", "0"), attr("max", "1"), attr("low", "0.1"), attr("high", "0.3"), attr("optimum", "1"),
			attr("value", strconv.FormatFloat(share, 'f', 3, 64)), attr("title", percent+" of its life is left"), percent),
		when(now, until))
}

// share is how many of all, as a bar and in words.
func share(done, all int, words string) *html.Node {
	return el("p", class("share"),
		el("progress", attr("max", strconv.Itoa(max(all, 1))), attr("value", strconv.Itoa(done))),
		strconv.Itoa(done)+" of "+strconv.Itoa(all)+" "+words)
}
