package transcript

import "testing"

func TestATranslationIsHeldToWhatItTranslates(t *testing.T) {
	const text = "# A\n\n- x\n\n'''console\na\n'''\n\n<!-- transcript: output -->\n'''\nb\n'''\n"
	for _, c := range []struct {
		sentence, other string
		same            bool
	}{
		{"other words", "# B\n\n- y\n\n'''console\na\n'''\n\n<!-- transcript: output -->\n'''\nb\n'''\n", true},
		{"another command", "# A\n\n- x\n\n'''console\nc\n'''\n\n<!-- transcript: output -->\n'''\nb\n'''\n", false},
		{"other output", "# A\n\n- x\n\n'''console\na\n'''\n\n<!-- transcript: output -->\n'''\nc\n'''\n", false},
		{"another heading", "## A\n\n- x\n\n'''console\na\n'''\n\n<!-- transcript: output -->\n'''\nb\n'''\n", false},
		{"an entry less", "# A\n\n\n'''console\na\n'''\n\n<!-- transcript: output -->\n'''\nb\n'''\n", false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			a, errA := Parse("a.md", lines(text))
			b, errB := Parse("b.md", lines(c.other))
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if got := Compare(a, b) == nil && CompareShape(lines(text), lines(c.other)) == nil; got != c.same {
				t.Errorf("%v, %v", Compare(a, b), CompareShape(lines(text), lines(c.other)))
			}
		})
	}
}
