package transcript

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestCommandsKnowWhatTheOnesBeforeLeft(t *testing.T) {
	run(t, "'''console\nexport a='x  y'\ncat >f <<END\n$a\nEND\nmkdir d && cd d\ncat ../f\n'''\n<!-- transcript: output -->\n'''\nx y\n'''\n", "")
}

func TestACommandIsRepeatedUntilItPrintsWhatIsShown(t *testing.T) {
	run(t, "'''console\necho x >>f; wc -l <f\n'''\n<!-- transcript: eventually -->\n'''\n3\n'''\n", "")
}

func TestWhatIsNotAsTheDocumentSaysIsTold(t *testing.T) {
	for _, c := range []struct{ sentence, text, says string }{
		{"a command that fails", "'''console\ntrue\necho why; exit 3\n'''", "x.md:3: echo why; exit 3: exit status 3\nit printed:\nwhy"},
		{"the first of a pipe that fails", "'''console\nfalse | true\n'''", "exit status 1"},
		{"other output", "'''console\necho a\n'''\n<!-- transcript: output -->\n'''\nb\n'''", "it does not print what is shown:\nb\nit printed:\na"},
		{"one that takes too long", "'''console\nsleep 60\n'''", "deadline"},
		{"output that never comes", "'''console\necho a\n'''\n<!-- transcript: eventually -->\n'''\nb\n'''", "deadline"},
		{"a variable that nothing is given for", "<!-- transcript: given -->\n'''console\nexport b=1\n'''", "nothing is given for b"},
	} {
		t.Run(c.sentence, func(t *testing.T) { run(t, c.text, c.says) })
	}
}

func TestWhatIsNotToBeRunIsNot(t *testing.T) {
	run(t, "<!-- transcript: skip: it fails -->\n'''console\nfalse\n'''\n<!-- transcript: pods -->\n'''console\nfalse\n'''\n", "")
}

func TestGivenVariablesTakeThePlaceOfThoseThatAreShown(t *testing.T) {
	run(t, "<!-- transcript: given -->\n'''console\nexport a=1\n'''\n'''console\necho $a\n'''\n<!-- transcript: output -->\n'''\nit's given\n'''\n", "")
}

func TestWhatIsLeftRunningEndsWithTheSession(t *testing.T) {
	d := parsed(t, "'''console\n(trap '' TERM; echo $BASHPID >pid; sleep 60) &\ncat pid\n'''\n<!-- transcript: eventually -->\n'''\n…\n'''\n")
	dir := t.TempDir()
	s := session(t, dir)
	if err := s.Run(t.Context(), d, Every); err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it runs still")
		}
	}
}

// run runs a document and expects an error that says so, or none.
func run(t *testing.T, text, says string) {
	t.Helper()
	d := parsed(t, text)
	s := session(t, t.TempDir())
	defer s.Close()
	err := s.Run(t.Context(), d, Every)
	if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%v", err)
	}
}

func parsed(t *testing.T, text string) Document {
	t.Helper()
	d, err := Parse("x.md", lines(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func session(t *testing.T, dir string) *Session {
	t.Helper()
	s, err := NewSession(Options{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}, Given: map[string]string{"a": "it's given"}, Bound: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
