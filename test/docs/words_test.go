package docs

import (
	"io/fs"
	"os"
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
	words := make([]string, 0, len(retired))
	for word := range retired {
		words = append(words, word)
	}
	found := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)(s|ed|ing)?\b`)
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == "bin" || strings.HasSuffix(name, "testdata/fuzz")):
			return fs.SkipDir
		case !entry.Type().IsRegular() || name == "LICENSE" || name == "test/docs/words_test.go":
			return nil
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		for number, line := range strings.Split(string(text), "\n") {
			for _, match := range found.FindAllStringSubmatch(line, -1) {
				t.Errorf("%s:%d: %q: write %q", name, number+1, match[0], retired[strings.ToLower(match[1])])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
