package check

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEachFindingIsInTheDocuments holds that users find what they see.
func TestEachFindingIsInTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../../docs/reference/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range slices.Sorted(maps.Keys(findingsOfTheCode(t))) {
		_, says, _ := strings.Cut(finding, ": ")
		if says == "what another says" || strings.HasPrefix(finding, "definitions: it cannot read") {
			continue
		}
		says = "`" + strings.Trim(verb.ReplaceAllString(says, "…"), ": ") + "`"
		if !strings.Contains(string(text), says) {
			t.Errorf("docs/reference/checks.md has no %s", says)
		}
	}
}
