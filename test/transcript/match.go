package transcript

import (
	"regexp"
	"strings"
)

// elided is what a document writes for what differs: in a line, any text; as a
// line of its own, any lines.
const elided = "…"

var blanks = regexp.MustCompile(`[ \t]+`)

// matches tells whether a command printed what the document shows. Columns may
// be as wide as they like.
func matches(shown, printed string) bool {
	pattern := strings.Builder{}
	pattern.WriteString(`^`)
	for _, line := range normal(shown) {
		if line == elided {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		for i, part := range strings.Split(line, elided) {
			if i > 0 {
				pattern.WriteString(`.*`)
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		pattern.WriteString(`\n`)
	}
	pattern.WriteString(`$`)
	return regexp.MustCompile(pattern.String()).MatchString(strings.Join(normal(printed), "\n") + "\n")
}

// normal returns the lines of a text with single blanks, without the empty lines around them.
func normal(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(blanks.ReplaceAllString(line, " "))
	}
	return lines
}
