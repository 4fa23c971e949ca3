package netns

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// SetResolver has processes that are started in the namespace resolve names by a
// file resolv.conf (resolv.conf(5)) of their own, as those of a pod do. They
// find no other names of hosts.
func (n *Namespace) SetResolver(t *testing.T, conf string) {
	t.Helper()
	directory := t.TempDir()
	for name, content := range map[string]string{"resolv.conf": conf, "hosts": ""} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := n.Do(func() error {
		// The thread of the namespace gets mounts of its own, which what it
		// starts inherits, and which go with it.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		for _, name := range []string{"resolv.conf", "hosts"} {
			if err := unix.Mount(filepath.Join(directory, name), "/etc/"+name, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount /etc/%s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("set a resolver: %v", err)
	}
}
