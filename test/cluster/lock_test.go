package cluster

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLockFile(path); !errors.Is(err, errLocked) {
		t.Errorf("got %v, want errLocked", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockFile(canceled, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the wait", err)
	}
	second := make(chan error, 1)
	go func() {
		lock, err := lockFile(t.Context(), path)
		second <- errors.Join(err, lock.Close())
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Errorf("after the release: %v", err)
	}
}
