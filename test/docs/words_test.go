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

// retiredInDocuments are those that programs may still have, and readers need not.
var retiredInDocuments = map[string]string{
	"whoever": "anyone who", "nobody": "no one, or none", "somebody": "anyone",
	"he": "the user, or you", "his": "your", "him": "the user, or you",
	"verdict": "decision", "heed": "follow", "heeds": "follows",
	"see below": "a link", "goes before": "takes precedence over", "go before": "take precedence over",
	"count for nothing": "have no effect", "by turns": "in turn",
	"認証局": "CA, 発行者", "注釈": "アノテーション", "信頼ドメイン": "トラストドメイン",
}

func TestNoRetiredWordIsInTheDocuments(t *testing.T) {
	for word, instead := range retiredInDocuments {
		pattern := regexp.QuoteMeta(word)
		if word[0] < 0x80 {
			pattern = `(?i)\b` + pattern + `\b`
		}
		found := regexp.MustCompile(pattern)
		for _, name := range append(documents(t), "CHANGELOG.md") {
			for number, line := range strings.Split(read(t, name), "\n") {
				if found.MatchString(line) {
					t.Errorf("%s:%d: %q: write %s", name, number+1, word, instead)
				}
			}
		}
	}
}
