package injector

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Lines as the kernel writes them.
const (
	socketsHeader   = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	sidecarSocket   = "   0: 00000000:3A9B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1500        0 11733 1 ffff9e26c4d5a300 100 0 0 10 0\n"
	leftSocket      = "   1: 0100007F:1F90 0100007F:8A12 06 00000000:00000000 03:00001722 00000000     0        0 0 3 ffff9e26c2c04f18\n"
	rootSocket      = "   2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11734 1 ffff9e26c4d5ac80 100 0 0 10 0\n"
	applicationCall = "   3: 0A00F40A:C350 0A00F40B:1F90 01 00000000:00000000 00:00000000 00000000 65532        0 11735 1 ffff9e26c4d5b600 20 4 30 10 -1\n"
)

func TestTheHookEndsOnceOnlyTheSidecarHasASocket(t *testing.T) {
	for name, test := range map[string]struct {
		sockets string
		goesOn  bool
	}{
		"no sockets":                      {sockets: socketsHeader},
		"the sidecar's own":               {sockets: socketsHeader + sidecarSocket},
		"one that its process has left":   {sockets: socketsHeader + leftSocket},
		"root listens":                    {sockets: socketsHeader + sidecarSocket + rootSocket, goesOn: true},
		"the application calls someone":   {sockets: socketsHeader + leftSocket + applicationCall, goesOn: true},
		"a kernel without either version": {},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "tcp")
			if test.sockets != "" {
				if err := os.WriteFile(file, []byte(test.sockets), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			function, _, _ := strings.Cut(strings.ReplaceAll(outliveScript, "/proc/net/tcp", file), "sleep 1")
			err := exec.CommandContext(t.Context(), "/bin/sh", "-c", function+"used").Run()
			exit, failed := errors.AsType[*exec.ExitError](err)
			if err != nil && (!failed || exit.ExitCode() != 1) {
				t.Fatal(err)
			}
			if goesOn := err == nil; goesOn != test.goesOn {
				t.Errorf("goes on: %t, want %t", goesOn, test.goesOn)
			}
		})
	}
}

// A program that ignores signals, as Pipy, stands in for it.
func TestTheSidecarEndsWithItsShell(t *testing.T) {
	dir := t.TempDir()
	deaf := "#!/bin/sh\ntrap '' TERM INT\necho \"$OSM_SIDECAR_SHELL $*\"\nwhile :; do sleep 1; done\n"
	if err := os.WriteFile(filepath.Join(dir, "pipy"), []byte(deaf), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", runScript, "pipy", "--log-level=warn", "--", "a file")
	shell.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if want := strconv.Itoa(shell.Process.Pid) + " --log-level=warn -- a file\n"; err != nil || line != want {
		t.Fatalf("%q, %v; want %q", line, err, want)
	}
	if err := shell.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := shell.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestTheSidecarsFailureIsItsShells(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipy"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-c", runScript, "pipy")
	shell.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	exit, failed := errors.AsType[*exec.ExitError](shell.Run())
	if !failed || exit.ExitCode() != 3 {
		t.Errorf("ended with %v", exit)
	}
}
