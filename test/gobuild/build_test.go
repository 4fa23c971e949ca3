package gobuild

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheHashFollowsWhatAProgramIsBuiltFrom(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{}
	digest := func(sentence string, r recipe) {
		hash, err := r.digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("%q has the hash of %q", sentence, other)
		}
		seen[hash] = sentence
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest("no file", recipe{dir: dir})
	digest("other flags", recipe{dir: dir, ldflags: "-s"})
	digest("a link", recipe{dir: dir, links: []string{"etcd"}})
	write("go.mod", "module a\n")
	digest("one file", recipe{dir: dir})
	write("main.go", "package main\n")
	digest("two files", recipe{dir: dir})
	write("main.go", "package other\n")
	digest("another content", recipe{dir: dir})
}

func TestProgressIsToldInPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		m := newMeter("kubeone", &out)
		stop := m.run()
		tell := func(text string, d time.Duration) {
			fmt.Fprint(m, text)
			time.Sleep(d)
			synctest.Wait()
		}
		m.say("begin")
		tell("go: downloading a v1\ngo: downlo", 16*time.Second)
		m.expect([]string{"a/b", "c"})
		tell("ading d v1\na/b\n", 15*time.Second)
		tell("# c\nc.go:1: wrong\nc\n", 15*time.Second)
		stop()
		const want = "kubeone: begin\nkubeone: 1 modules fetched, 15s\nkubeone: 1 of 2 packages compiled, 30s\nkubeone: linking, 45s\n"
		if out.String() != want {
			t.Errorf("told\n%swant\n%s", &out, want)
		}
		if got := m.complaint(); got != "# c\nc.go:1: wrong\n" {
			t.Errorf("complaint %q", got)
		}
	})
}

func TestProgressRewritesItsLineOnATerminal(t *testing.T) {
	var out strings.Builder
	m := newMeter("kubeone", &out)
	m.terminal, m.start = true, time.Now()
	m.expect([]string{"a"})
	m.show()
	m.say("end")
	const want = "\r\x1b[Kkubeone: 0 of 1 packages compiled, 0s\r\x1b[Kkubeone: end\n"
	if out.String() != want {
		t.Errorf("told %q, want %q", &out, want)
	}
}
