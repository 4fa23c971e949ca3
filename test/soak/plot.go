package main

import (
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

// The picture's size, and where its axes are.
const (
	width, height      = 1200, 520
	left, right        = 60, 1020
	top, middle, below = 30, 330, 490
)

// picture is an SVG: memory above, handshakes below, faults behind both.
var picture = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="520" font-family="sans-serif" font-size="11">
<rect width="1200" height="520" fill="#fff"/>
{{range .Faults}}<rect x="{{.X}}" y="30" width="{{.Width}}" height="460" fill="{{.Colour}}" opacity="0.25"><title>{{.Name}}</title></rect>
{{end}}<path d="M60 30V330H1020 M60 360V490H1020" fill="none" stroke="#444"/>
<text x="60" y="20">MB of a process (at most {{.Memory}})</text>
<text x="60" y="352">handshakes a second (at most {{.Rate}})</text>
<text x="1020" y="506" text-anchor="end">{{.Minutes}} minutes</text>
{{range .Lines}}<polyline points="{{.Points}}" fill="none" stroke="{{.Colour}}" stroke-width="1.5"/>
{{end}}{{range $i, $l := .Legend}}<rect x="1035" y="{{.Y}}" width="12" height="9" fill="{{.Colour}}" opacity="{{.Opacity}}"/><text x="1052" y="{{.TextY}}">{{.Name}}</text>
{{end}}</svg>
`))

var colours = []string{"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22"}

type band struct {
	Name, Colour string
	X, Width     float64
}

type line struct{ Points, Colour string }

type entry struct {
	Name, Colour string
	Opacity      float64
	Y, TextY     int
}

// plot draws the record.
func (r *record) plot(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Samples) < 2 {
		return fmt.Errorf("%d samples are too few for a picture", len(r.Samples))
	}
	last := r.Samples[len(r.Samples)-1].Seconds
	x := func(seconds float64) float64 { return left + (right-left)*seconds/last }
	var legend []entry
	add := func(name, colour string, opacity float64) {
		y := top + 18*len(legend)
		legend = append(legend, entry{name, colour, opacity, y, y + 9})
	}
	memory, programs := r.memory()
	var lines []line
	for i, program := range programs {
		colour := colours[i%len(colours)]
		add(program, colour, 1)
		var points strings.Builder
		for _, s := range r.Samples {
			if size := s.Memory[program]; size > 0 {
				fmt.Fprintf(&points, "%.1f,%.1f ", x(s.Seconds), middle-(middle-top)*size/memory)
			}
		}
		lines = append(lines, line{points.String(), colour})
	}
	rates, most := r.rates()
	var points strings.Builder
	for i, rate := range rates {
		fmt.Fprintf(&points, "%.1f,%.1f ", x(r.Samples[i+1].Seconds), below-(below-middle-30)*rate/most)
	}
	lines = append(lines, line{points.String(), "#444"})
	var bands []band
	kinds := map[string]string{}
	for _, f := range r.Faults {
		if kinds[f.Name] == "" {
			kinds[f.Name] = colours[(len(programs)+len(kinds))%len(colours)]
			add(f.Name, kinds[f.Name], 0.4)
		}
		bands = append(bands, band{f.Name, kinds[f.Name], x(f.From), max(1, x(f.To)-x(f.From))})
	}
	return picture.Execute(w, map[string]any{
		"Faults": bands, "Lines": lines, "Legend": legend,
		"Memory": int(memory), "Rate": int(most), "Minutes": int(last / 60),
	})
}

// memory returns the most that a process had, and the programs.
func (r *record) memory() (most float64, programs []string) {
	seen := map[string]bool{}
	for _, s := range r.Samples {
		for program, size := range s.Memory {
			seen[program] = true
			most = max(most, size)
		}
	}
	return max(most, 1), slices.Sorted(maps.Keys(seen))
}

// rates are the handshakes a second between samples, and the most of them.
func (r *record) rates() (rates []float64, most float64) {
	for i, s := range r.Samples[1:] {
		before := r.Samples[i]
		rate := float64(s.Handshakes-before.Handshakes) / max(s.Seconds-before.Seconds, 0.001)
		rates, most = append(rates, rate), max(most, rate)
	}
	return rates, max(most, 1)
}
