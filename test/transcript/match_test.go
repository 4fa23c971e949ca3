package transcript

import "testing"

func TestWhatIsPrintedIsComparedWithWhatIsShown(t *testing.T) {
	for _, c := range []struct {
		sentence, shown, printed string
		matches                  bool
	}{
		{"the same", "a\nb", "a\nb\n", true},
		{"columns of another width", "a  b", "a        b  \n", true},
		{"another line", "a", "b", false},
		{"a line more", "a", "a\nb", false},
		{"a part that differs", "until …, ok", "until 2031-01-11, ok", true},
		{"a part that differs does not reach over lines", "a…b", "a\nb", false},
		{"any lines", "a\n…\nd", "a\nb\nc\nd", true},
		{"no lines at all", "a\n…\nd", "a\nd", true},
		{"characters of expressions mean themselves", "a.c", "abc", false},
	} {
		if got := matches(c.shown, c.printed); got != c.matches {
			t.Errorf("%s: %t", c.sentence, got)
		}
	}
}
