package transcript

import (
	"reflect"
	"strings"
	"testing"
)

// lines spares the tests the backquotes of blocks.
func lines(text string) string { return strings.ReplaceAll(text, "'''", fence) }

func TestADocumentIsReadAsItsReadersDo(t *testing.T) {
	for _, c := range []struct {
		sentence, text string
		groups         []Group
	}{
		{"each line of a console block is a command", "'''console\na\n\nb c\n'''",
			[]Group{{Every, []Step{{Line: 2, Command: "a"}, {Line: 4, Command: "b c"}}}}},
		{"a command goes on after a backslash, a pipe and an operator", "'''console\na \\\n  b |\n c &&\n d\ne\n'''",
			[]Group{{Every, []Step{{Line: 2, Command: "a \\\n  b |\n c &&\n d"}, {Line: 6, Command: "e"}}}}},
		{"a heredoc is of its command", "'''console\na <<'END' | b\n# c\nEND\nd\n'''",
			[]Group{{Every, []Step{{Line: 2, Command: "a <<'END' | b\n# c\nEND"}, {Line: 5, Command: "d"}}}}},
		{"a comment of bash is no command", "'''console\n# a\nb # c\n'''",
			[]Group{{Every, []Step{{Line: 3, Command: "b # c"}}}}},
		{"a block of a list is moved to the left", "1. x\n\n   '''console\n   a <<END\n     b\n   END\n   '''",
			[]Group{{Every, []Step{{Line: 4, Command: "a <<END\n  b\nEND"}}}}},
		{"other blocks are not run", "'''yaml\na\n'''\n'''\nb\n'''", []Group{{Name: Every}}},
		{"a group goes on until the next", "'''console\na\n'''\n<!-- transcript: group x -->\n'''console\nb\n'''\n<!-- transcript: group y -->\n'''console\nc\n'''",
			[]Group{{Every, []Step{{Line: 2, Command: "a"}}}, {"x", []Step{{Line: 6, Command: "b"}}}, {"y", []Step{{Line: 10, Command: "c"}}}}},
		{"a comment is about the next block alone", "<!-- transcript: skip: why: so -->\n<!-- transcript: pods -->\n'''console\na\n'''\n'''console\nb\n'''",
			[]Group{{Every, []Step{{Line: 4, Command: "a", Skip: "why: so", Pods: true}, {Line: 7, Command: "b"}}}}},
		{"what is printed is of the last command", "'''console\na\nb\n'''\n<!-- transcript: eventually -->\n'''\nc\nd\n'''",
			[]Group{{Every, []Step{{Line: 2, Command: "a"}, {Line: 3, Command: "b", Shown: true, Output: "c\nd", Eventually: true}}}}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			d, err := Parse("x.md", lines(c.text))
			if err != nil || !reflect.DeepEqual(d.Groups, c.groups) {
				t.Errorf("%v\n%+v", err, d.Groups)
			}
		})
	}
}

func TestADocumentThatMeansNothingIsRefused(t *testing.T) {
	for _, c := range []struct{ sentence, text, says string }{
		{"a block that does not end", "'''console\na", "x.md:1: the block does not end"},
		{"a command that does not end", "'''console\na <<END\n'''", "x.md:3: the command of line 2 does not end"},
		{"a word that is unknown", "<!-- transcript: skp: a -->", "x.md:1: transcript: skp a means nothing"},
		{"a skip without a reason", "<!-- transcript: skip -->", "skip  means nothing"},
		{"a comment of another form", "<!-- transcript skip: a -->", "is not <!-- transcript: … -->"},
		{"a group that comes again", "<!-- transcript: group a -->\n<!-- transcript: group a -->", `x.md:2: there is a group "a" already`},
		{"a comment that no block follows", "<!-- transcript: pods -->\n", "no block follows"},
		{"a comment about a block that is not run", "<!-- transcript: pods -->\n'''yaml\n'''", `of a block "yaml"`},
		{"output of no command", "<!-- transcript: output -->\n'''\n'''", "no output of a command"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			if _, err := Parse("x.md", lines(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAGroupBeginsWithWhatIsOfEvery(t *testing.T) {
	d, err := Parse("x.md", lines("'''console\na\n'''\n<!-- transcript: group x -->\n'''console\nb\n'''\n<!-- transcript: group y -->\n'''console\nc\n'''"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Group("y"); len(got) != 2 || got[0].Command != "a" || got[1].Command != "c" {
		t.Errorf("%+v", got)
	}
}
