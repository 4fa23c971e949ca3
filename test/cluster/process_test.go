package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell runs the script, which tells through its log that it is ready for signals.
func shell(t *testing.T, l *launcher, script string) *process {
	t.Helper()
	p, err := l.start(command{name: "script", path: "/bin/sh", args: []string{"-c", script + "\necho ready; while :; do sleep 0.01; done"},
		log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	if err := await(t.Context(), "the script", []*process{p}, func(context.Context) error {
		if !strings.Contains(string(tail(p.log)), "ready") {
			return errors.New("not ready")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProcessIsAskedToEndAndKilledIfItDoesNot(t *testing.T) {
	l := newLauncher()
	defer l.close()
	for script, want := range map[string]string{
		"trap 'exit 7' TERM": "exit status 7",
		"trap '' TERM":       "signal: killed",
	} {
		p := shell(t, l, script)
		p.stop(200 * time.Millisecond)
		if got := p.state().String(); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
		if err := p.signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("a signal after the end: %v", err)
		}
	}
}

func TestAnEarlyEndIsToldWithTheEndOfTheLog(t *testing.T) {
	l := newLauncher()
	defer l.close()
	for script, want := range map[string]error{
		"echo the reason; exit 3": nil,
		"echo the reason: listen: bind: address already in use; exit 3": errPortTaken,
	} {
		p, err := l.start(command{name: "script", path: "/bin/sh", args: []string{"-c", script}, log: filepath.Join(t.TempDir(), "log")})
		if err != nil {
			t.Fatal(err)
		}
		c := &Cluster{components: []*process{p}}
		err = c.await(t.Context(), "the world", func(context.Context) error { return io.EOF })
		if err == nil || !strings.Contains(err.Error(), "waiting for the world: script ended: exit status 3") || !strings.Contains(err.Error(), "the reason") {
			t.Errorf("got %v, want the exit status and the log", err)
		}
		if errors.Is(err, errPortTaken) != (want != nil) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestTheTailOfALogBeginsWithALine(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(strings.Repeat("a line of a log\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := string(tail(log)); !strings.HasPrefix(got, "a line") || !strings.HasSuffix(got, "a log\n") {
		t.Errorf("got %.20q...", got)
	}
}
