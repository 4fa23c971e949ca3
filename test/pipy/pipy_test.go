package pipy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program writes one that prints the text, whatever it is asked for, and then does
// as it is told.
func program(t *testing.T, text string, then ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipy")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ncat <<'END'\n"+text+"\nEND\n"+strings.Join(then, "\n")), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheBinaryIsTheOneThatIsNamed(t *testing.T) {
	path := program(t, "")
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	for named, want := range map[string]string{"": "", "pipy": path, path: path} {
		t.Setenv(Variable, named)
		if got, err := Binary(); got != want || err != nil {
			t.Errorf("%q: %q, error %v, want %q", named, got, err, want)
		}
	}
	t.Setenv(Variable, "/no/such/pipy")
	if _, err := Binary(); err == nil || !strings.Contains(err.Error(), "PIPY=/no/such/pipy names no Pipy") {
		t.Errorf("error %v", err)
	}
}

func TestTheImageIsTheOneThatIsNamed(t *testing.T) {
	archive := program(t, "")
	for named, want := range map[string]string{"": "", archive: archive} {
		t.Setenv(ImageVariable, named)
		if got, err := Image(); got != want || err != nil {
			t.Errorf("%q: %q, error %v, want %q", named, got, err, want)
		}
	}
	t.Setenv(ImageVariable, "/no/such.tar")
	if _, err := Image(); err == nil || !strings.Contains(err.Error(), "PIPY_IMAGE=/no/such.tar names no archive") {
		t.Errorf("error %v", err)
	}
}

func TestAPipyTellsItsVersion(t *testing.T) {
	const said = "Version          : 1.5.18\nCommit           : 23ca70c\nOpenSSL Conf     : /a:b"
	for _, binary := range []string{program(t, said), program(t, said, "exec sleep 1000")} {
		if version, err := Version(t.Context(), binary); version != "1.5.18" || err != nil {
			t.Errorf("%q, error %v", version, err)
		}
	}
	if _, err := Version(t.Context(), program(t, "hello")); err == nil || !strings.Contains(err.Error(), "is no Pipy") {
		t.Errorf("error %v", err)
	}
}
