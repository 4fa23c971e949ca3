package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAKilledClustersDirectoryIsRemovedByTheNext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	living, lock, err := claimDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	dead, deadLock, err := claimDir("")
	if err != nil {
		t.Fatal(err)
	}
	if err := deadLock.Close(); err != nil {
		t.Fatal(err)
	}
	_, next, err := claimDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := os.Stat(living); err != nil {
		t.Errorf("the living cluster's directory: %v", err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead cluster's directory: %v, want none", err)
	}
}

func TestADirectoryIsClaimedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "chosen")
	got, lock, err := claimDir(dir)
	if err != nil || got != dir {
		t.Fatalf("got %s and %v", got, err)
	}
	defer lock.Close()
	if _, again, err := claimDir(dir); err == nil {
		t.Errorf("claimed twice: %v", again.Close())
	}
}
