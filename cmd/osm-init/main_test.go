package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/netns"
)

const (
	asOSMInit = "OSM_TEST_RUN_OSM_INIT"
	config    = `{"uid": 1500, "inbound": {"port": 15003}, "outbound": {"port": 15001}}`
)

func TestMain(m *testing.M) {
	if os.Getenv(asOSMInit) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(netns.Run(m.Run))
}

// osmInit runs the program, with these capabilities only and every file system
// read-only, and returns what it logs.
func osmInit(t *testing.T, n *netns.Namespace, capabilities []uintptr, args ...string) (log string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	var output bytes.Buffer
	process := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	process.Env = []string{asOSMInit + "=1"}
	process.Stdout, process.Stderr = &output, &output
	process.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: capabilities, Pdeathsig: syscall.SIGKILL}
	err = n.Do(func() error {
		if err := readOnly(); err != nil {
			return err
		}
		if err := os.WriteFile(file, nil, 0o600); !errors.Is(err, unix.EROFS) {
			return fmt.Errorf("write to a read-only file system: %w", err)
		}
		// What a process starts has the capabilities of its ambient set.
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
			return err
		}
		return process.Run()
	})
	return output.String(), err
}

// readOnly makes the thread see every file system read-only.
func readOnly() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare mounts: %w", err)
	}
	return unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE,
	})
}

func chainsIn(t *testing.T, n *netns.Namespace) (names []string) {
	t.Helper()
	err := n.Do(func() error {
		chains, err := (&nftables.Conn{}).ListChains()
		for _, c := range chains {
			names = append(names, c.Table.Name+" "+c.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNetAdminIsAllItTakes(t *testing.T) {
	n := netns.New(t)
	log, err := osmInit(t, n, []uintptr{unix.CAP_NET_ADMIN}, config)
	if err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	if got := strings.Join(chainsIn(t, n), ", "); got != "osm inbound, osm outbound, osm inbound_filter, osm forward_filter, osm outbound_filter" {
		t.Errorf("there are the chains %s", got)
	}
	if message := messageOf(t, log); message["level"] != "INFO" || message["ipv6"] != true || message["inbound"] != 15003. {
		t.Errorf("it logs %s", log)
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	tests := map[string]struct {
		args []string
		want []string
	}{
		"no capability": {[]string{config}, []string{
			"NET_ADMIN", "pod-security.kubernetes.io/enforce=privileged", "osm.enablePrivilegedInitContainer=true", "osm.injector.interception=none",
		}},
		"no argument":   {nil, []string{"0 arguments, want one"}},
		"two arguments": {[]string{config, config}, []string{"2 arguments, want one"}},
		"no JSON":       {[]string{"-h"}, []string{"interception config"}},
		"a bad field":   {[]string{`{"uid": 0}`}, []string{"uid: 0 is root", "inbound.port: missing"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := netns.New(t)
			log, err := osmInit(t, n, nil, test.args...)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("it ends by %v", err)
			}
			message := messageOf(t, log)
			for _, want := range test.want {
				if got := fmt.Sprint(message["error"]); message["level"] != "ERROR" || !strings.Contains(got, want) {
					t.Errorf("it logs %s, want an error that contains %q", log, want)
				}
			}
			if chains := chainsIn(t, n); len(chains) > 0 {
				t.Errorf("there are the chains %v", chains)
			}
		})
	}
}

func TestAKernelWithoutNftablesIsToldFromAMissingCapability(t *testing.T) {
	err := fix(fmt.Errorf("set the table: %w", errors.ErrUnsupported))
	for _, want := range []string{"load the modules", "osm.injector.interception=none"} {
		if !strings.Contains(err.Error(), want) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error %v, want one that contains %q", err, want)
		}
	}
	if err := errors.New("no memory"); fix(err) != err {
		t.Errorf("error %v is changed", err)
	}
}

func messageOf(t *testing.T, log string) (message map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(log), &message); err != nil {
		t.Fatalf("it logs %q: %v", log, err)
	}
	return message
}
