package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// retired are words that stood for something which the field has another word for,
// and that word.
var retired = map[string]string{
	"mend":     "fix",
	"patience": "timeout",
	"fate":     "action",
	"shed":     "drain",
}

func TestNoRetiredWordComesBack(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("this is not a checkout: %v", err)
	}
	words := make([]string, 0, len(retired))
	for word := range retired {
		words = append(words, word)
	}
	found := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)(s|ed|ing)?\b`)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if name == "LICENSE" || name == "test/docs/words_test.go" || strings.Contains(name, "testdata/fuzz/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // it is deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(text), "\n") {
			for _, match := range found.FindAllStringSubmatch(line, -1) {
				t.Errorf("%s:%d: %q: write %q", name, number+1, match[0], retired[strings.ToLower(match[1])])
			}
		}
	}
}
