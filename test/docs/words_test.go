package docs

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// retired are words that stood for something which the field has another word for,
// and that word. They are found in identifiers, too, as in errNobody and signPatience.
var retired = map[string]string{
	"mend": "fix", "patience": "timeout", "fate": "action", "shed": "drain",
	"strays": "unknown annotations", "opinion": "status", "verdict": "decision, acknowledgement or result",
	"judge": "compute", "judges": "computes", "heed": "follow",
	"desertion": "drain timeout", "isolation": "readiness timeout", "silence": "staleness",
	"whoever": "anyone who, or the caller", "nobody": "no one, or none", "somebody": "anyone, or what it is",
	"anybody": "anyone", "everybody": "everyone",
	"goes before":       "takes precedence over",
	"count for nothing": "have no effect", "counts for nothing": "has no effect",
	"by turns": "in turn", "see below": "a link with the section's name",
	"is of a mesh": "belongs to a mesh", "are of a mesh": "belong to a mesh",
	"is of the mesh": "belongs to the mesh", "are of the mesh": "belong to the mesh",
	"those who are to": "who it is", "what it was told": "what was asked of it",
	"the last valid settings go on": "the last valid settings stay in force",
}

// others are names of other projects, which have such words.
var others = regexp.MustCompile(`\bexpr\.Verdict\w*|\bSilence(Usage|Errors)\b`)

// humps are where a word begins within an identifier.
var humps = regexp.MustCompile(`([a-z0-9])([A-Z])|_`)

// words separates those of identifiers.
func words(line string) string {
	return humps.ReplaceAllString(others.ReplaceAllString(line, ""), "$1 $2")
}

func isRetired(line string) (word, instead string) {
	match := retiredPattern.FindStringSubmatch(words(line))
	if match == nil {
		return "", ""
	}
	return match[0], retired[strings.ToLower(match[1])]
}

var retiredPattern = func() *regexp.Regexp {
	all := slices.Sorted(maps.Keys(retired))
	slices.Reverse(all) // the longer of two that begin alike first
	return regexp.MustCompile(`(?i)\b(` + strings.Join(all, "|") + `)(s|d|ed|ing)?\b`)
}()

func TestEachRetiredWordIsFound(t *testing.T) {
	for word, instead := range retired {
		planted := []string{"// " + word + ".", strings.ToUpper(word[:1]) + word[1:] + " it"}
		if !strings.Contains(word, " ") {
			hump := strings.ToUpper(word[:1]) + word[1:]
			planted = append(planted, "func err"+hump+"Left() {", "Test"+hump+"Comes", "x."+word+"Of(1)", "of_"+word+"_x")
		}
		for _, line := range planted {
			if found, want := isRetired(line); !strings.EqualFold(found, word) || want != instead {
				t.Errorf("in %q, %q is found, not %q", line, found, word)
			}
		}
	}
	for _, line := range []string{"recommend", "isolated", "unsheds", "expr.VerdictDrop", "SilenceUsage: true", "nobodyx"} {
		if found, _ := isRetired(line); found != "" {
			t.Errorf("in %q, %q is found", line, found)
		}
	}
}

func TestNoRetiredWordComesBack(t *testing.T) {
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == "bin" || strings.HasSuffix(name, "testdata/fuzz")):
			return fs.SkipDir
		case !entry.Type().IsRegular() || name == "LICENSE" || name == "go.sum" || name == "test/docs/words_test.go" || path.Ext(name) == ".png":
			return nil
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		var found []string
		for number, line := range strings.Split(string(text), "\n") {
			if word, instead := isRetired(line); word != "" {
				found = append(found, fmt.Sprintf("%s:%d: %q: write %q", name, number+1, word, instead))
			}
		}
		if len(found) > 0 {
			t.Error(strings.Join(found, "\n"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// spoken are words that have programs speak. Comments may have them, messages not.
var spoken = regexp.MustCompile(`(?i)\b(say|says|said|tell|tells|told)\b`)

func TestNoMessageSpeaks(t *testing.T) {
	if !spoken.MatchString(`"Told by the replica that leads"`) {
		t.Error("a planted word is not found")
	}
	for _, dir := range []string{"bootstrap", "cmd", "injector", "issuer", "manifests", "sds", "webhook"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(file string, _ fs.DirEntry, err error) error {
			name := strings.TrimPrefix(file, "../../")
			switch {
			case err != nil || strings.HasSuffix(name, "_test.go"):
				return err
			case path.Ext(name) == ".go":
				var found []string
				for _, message := range messages(t, name) {
					if spoken.MatchString(message) {
						found = append(found, message)
					}
				}
				if len(found) > 0 {
					t.Errorf("%s: %s", name, strings.Join(found, "\n"))
				}
			case strings.HasPrefix(name, "manifests/chart/") && path.Ext(name) != "":
				for number, line := range strings.Split(read(t, name), "\n") {
					if word := spoken.FindString(line); word != "" {
						t.Errorf("%s:%d: %q: write published, reported or shown", name, number+1, word)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// messages are the string literals of a file.
func messages(t *testing.T, name string) (all []string) {
	text := []byte(read(t, name))
	fset := token.NewFileSet()
	var s scanner.Scanner
	s.Init(fset.AddFile(name, -1, len(text)), text, nil, 0)
	for {
		switch _, kind, literal := s.Scan(); kind {
		case token.EOF:
			return all
		case token.STRING:
			all = append(all, literal)
		}
	}
}

// retiredInDocuments are those that programs may still have, and readers need not.
var retiredInDocuments = map[string]string{
	"go before": "take precedence over",
	"he":        "the user, or you", "his": "your", "him": "the user, or you",
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
