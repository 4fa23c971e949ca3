package main

import (
	"fmt"
	"strings"

	"github.com/osm-edge/osm/cmd/internal/check"
)

func (t *terminal) mark(errors, warnings int) string {
	switch {
	case errors > 0:
		return t.sign(failed)
	case warnings > 0:
		return t.sign(beware)
	}
	return t.sign(done)
}

func printReport(out *terminal, report check.Report) error {
	var text strings.Builder
	fmt.Fprintf(&text, "mesh %s in namespace %s\n\n", out.in(bold, report.Mesh), report.Namespace)
	for _, c := range report.Checks {
		errors, warnings := tally(c.Findings)
		fmt.Fprintf(&text, "%s %-14s %s\n", out.mark(errors, warnings), c.Name, out.in(dim, c.Summary))
		for _, f := range c.Findings {
			errors, warnings := tally([]check.Finding{f})
			fmt.Fprintf(&text, "  %s %s: %s\n", out.mark(errors, warnings), out.in(bold, f.Object), f.Problem)
			fmt.Fprintf(&text, "    to fix it: %s\n", f.Fix)
		}
	}
	result := "\nnothing is wrong\n"
	if report.Errors+report.Warnings > 0 {
		result = fmt.Sprintf("\n%s, %s\n", countOf(report.Errors, "error"), countOf(report.Warnings, "warning"))
	}
	text.WriteString(result)
	_, err := out.Write([]byte(text.String()))
	return err
}

func tally(findings []check.Finding) (errors, warnings int) {
	for _, f := range findings {
		if f.Severity == check.Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
