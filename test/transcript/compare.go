package transcript

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Compare returns how two documents differ in what is run of them, and so
// whether one translates the other.
func Compare(a, b Document) error {
	if len(a.Groups) != len(b.Groups) {
		return fmt.Errorf("%s has the groups %q, %s %q", a.Name, a.names(), b.Name, b.names())
	}
	var errs []error
	for i, group := range a.Groups {
		other := b.Groups[i]
		if group.Name != other.Name || len(group.Steps) != len(other.Steps) {
			errs = append(errs, fmt.Errorf("%s has %d commands in group %s, %s has %d in group %s",
				a.Name, len(group.Steps), group.Name, b.Name, len(other.Steps), other.Name))
		}
		for k := range min(len(group.Steps), len(other.Steps)) {
			left, right := group.Steps[k], other.Steps[k]
			left.Line, right.Line = 0, 0
			if left != right {
				errs = append(errs, fmt.Errorf("%s:%d and %s:%d differ:\n%+v\n%+v",
					a.Name, group.Steps[k].Line, b.Name, other.Steps[k].Line, left, right))
				break
			}
		}
	}
	return errors.Join(errs...)
}

var kinds = regexp.MustCompile(`^\s*(#+|\||- |\d+\. |` + fence + `.*|<!-- .*)`)

// CompareShape returns the first line that is not of the same kind in two texts:
// a heading, an entry of a list, a row of a table, a block, a paragraph.
func CompareShape(a, b string) error {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(left), len(right)) {
		if kindOf(left[i]) != kindOf(right[i]) {
			return fmt.Errorf("line %d is %q in one and %q in the other", i+1, left[i], right[i])
		}
	}
	if len(left) != len(right) {
		return fmt.Errorf("one has %d lines and the other %d", len(left), len(right))
	}
	return nil
}

func kindOf(line string) string {
	if kind := kinds.FindString(line); kind != "" || strings.TrimSpace(line) == "" {
		return kind
	}
	return "text"
}
