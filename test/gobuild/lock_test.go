package gobuild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(path, os.O_CREATE|os.O_RDWR); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(canceled, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the wait", err)
	}
	second := make(chan error, 1)
	go func() {
		lock, err := Lock(t.Context(), path)
		second <- errors.Join(err, lock.Close())
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Errorf("after the release: %v", err)
	}
}
