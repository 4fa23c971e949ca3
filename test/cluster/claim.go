package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/osm-edge/osm/test/gobuild"
)

// dirPattern names the directories of clusters that choose none.
const dirPattern = "osm-cluster-*"

// claimDir makes the directory of a cluster, with a lock in it for as long as the cluster lives: one that isn't held is
// that of a process which was killed. Such leftovers are removed here.
func claimDir(dir string) (string, *os.File, error) {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", dirPattern); err != nil {
			return "", nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		return "", nil, err
	}
	lock, err := claim(dir)
	if err != nil {
		return "", nil, fmt.Errorf("claiming directory %s: %w", dir, err)
	}
	return dir, lock, removeLeftovers()
}

// claim takes the lock before it gets its name, so that a lock by that name that can be taken is a dead cluster's.
func claim(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	if _, err := os.Lstat(name); err == nil {
		return nil, errors.New("another cluster has or had it: choose an empty directory")
	}
	lock, err := gobuild.TryLock(name+".new", os.O_CREATE|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(lock.Name(), name); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// removeLeftovers removes what clusters left whose process was killed. Their processes have ended with it.
func removeLeftovers() error {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), dirPattern, "lock"))
	if err != nil {
		return err
	}
	for _, path := range locks {
		lock, err := gobuild.TryLock(path, os.O_RDWR)
		if err != nil {
			continue // it lives, or is another user's, or has just been removed
		}
		if err := errors.Join(removeDead(filepath.Dir(path)), lock.Close()); err != nil {
			return fmt.Errorf("removing what a killed cluster left: %w", err)
		}
	}
	return nil
}

// removeDead removes a directory and the control groups that belong to it if it is a full node's.
func removeDead(dir string) error {
	groups, err := cgroupsOf(dir)
	if err != nil {
		return err
	}
	return errors.Join(groups.remove(stopTimeout), os.RemoveAll(dir))
}
