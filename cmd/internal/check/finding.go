package check

import (
	"fmt"
	"time"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Error is something that fails, or is about to.
	Error Severity = "error"
	// Warning is something that is not as it should be, and fails nothing yet.
	Warning Severity = "warning"
)

// Finding is one thing that is wrong.
type Finding struct {
	Severity Severity `json:"severity"`
	// Object is what it is wrong with, as in "Secret osm-system/osm-ca-bundle".
	Object  string `json:"object"`
	Problem string `json:"problem"`
	// Fix is what to do: a command, or a sentence that ends in one.
	Fix string `json:"fix"`
}

// Check is one of the things that were looked at.
type Check struct {
	// Name stays the same from version to version, as in "webhooks".
	Name string `json:"name"`
	// Summary is what was seen, in a line.
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings"`
}

// Report is what was found. Its JSON is what osm check -o json prints: fields
// are added to it, and none is changed or taken away.
type Report struct {
	Mesh      string    `json:"mesh"`
	Namespace string    `json:"namespace"`
	Time      time.Time `json:"time"`
	Errors    int       `json:"errors"`
	Warnings  int       `json:"warnings"`
	Checks    []Check   `json:"checks"`
}

// fail and warn note a finding.
func (c *Check) fail(object, fix, problem string, args ...any) {
	c.note(Error, object, fix, problem, args)
}

func (c *Check) warn(object, fix, problem string, args ...any) {
	c.note(Warning, object, fix, problem, args)
}

func (c *Check) note(severity Severity, object, fix, problem string, args []any) {
	c.Findings = append(c.Findings, Finding{severity, object, fmt.Sprintf(problem, args...), fix})
}
