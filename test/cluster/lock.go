package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked by another process")

// lockFile waits until it alone holds the lock on path, which it creates if need be. Closing the file, or the end of the
// process, however it comes, releases the lock.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		f, err := tryLockFile(path)
		if !errors.Is(err, errLocked) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", path, context.Cause(ctx))
		case <-retry.C:
		}
	}
}

// tryLockFile is lockFile without the wait: errLocked when the lock is held.
func tryLockFile(path string) (*os.File, error) {
	return tryLock(path, os.O_CREATE|os.O_RDWR)
}

// tryLock opens the file with the flags and locks it.
func tryLock(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errLocked
	}
	return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
}
