//go:build cli

package integration

// checkReport is what osm check -o json prints, as those who read it know it.
type checkReport struct {
	Errors, Warnings int
	Checks           []struct {
		Name     string
		Findings []checkFinding
	}
}

type checkFinding struct{ Severity, Object, Problem, Fix string }
