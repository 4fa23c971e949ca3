package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestAnOnlyHierarchyOfVersion2GetsItsControllersEnabled(t *testing.T) {
	for sentence, tc := range map[string]struct {
		controllers []byte
		want        string
	}{
		"version 1":                      {nil, ""},
		"version 2":                      {[]byte("cpu\n"), "+cpu"},
		"version 2 without controllers":  {[]byte("\n"), ""},
		"version 2 with needless others": {[]byte("rdma memory misc\n"), "+memory"},
	} {
		t.Run(sentence, func(t *testing.T) {
			root := t.TempDir()
			if tc.controllers != nil {
				if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), tc.controllers, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := (cgroups{filepath.Join(root, "own")}).create(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
			if string(got) != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("enabled %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestRemovingGroupsRemovesWhatIsBelowThemAndNothingElse(t *testing.T) {
	root := t.TempDir()
	groups := cgroups{filepath.Join(root, "a", "own"), filepath.Join(root, "b", "own")}
	if err := groups.create(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/own/kubepods/besteffort", "a/own/kubepods/burstable", "a/other"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is gone needs no removal
		if err := groups.remove(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		relative, relativeErr := filepath.Rel(root, path)
		left = append(left, relative)
		return errors.Join(err, relativeErr)
	})
	if want := []string{".", "a", "a/other", "b"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left are %q, %v, want %q", left, err, want)
	}
}

func TestTheKernelsMountsAreFoundByType(t *testing.T) {
	if got, err := mountPoints("proc"); err != nil || !slices.Contains(got, "/proc") {
		t.Errorf("got %q and %v, want /proc among them", got, err)
	}
}

func TestEachDirectoryHasItsOwnControlGroup(t *testing.T) {
	if a, b := cgroupPath("/tmp/a"), cgroupPath("/tmp/b"); a == b || a != cgroupPath("/tmp/a") {
		t.Errorf("got %s and %s", a, b)
	}
}
