package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/osm-edge/osm/test/gobuild"
)

// debianPackages are the parts of a full node that Kubernetes' modules don't hold, and a shell for its pods.
func debianPackages() []string {
	return []string{"containerd", "runc", "containernetworking-plugins", "nftables", "busybox-static"}
}

// BusyBox returns the path of a static BusyBox, which is the shell or the tool that it is called as. It comes with what a
// full node downloads.
func BusyBox(ctx context.Context, progress io.Writer) (string, error) {
	packages, err := unpackDebian(ctx, progress)
	if err != nil {
		return "", err
	}
	for _, dir := range []string{"usr/bin", "bin"} { // before and after Debian moved it
		path := filepath.Join(packages.root, dir, "busybox")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no busybox in %s", packages.root)
}

// debian is a directory of unpacked packages, which are run from there and never installed.
type debian struct{ root string }

// path is the search path of the packages' programs.
func (d debian) path() string {
	return filepath.Join(d.root, "usr/sbin") + ":" + filepath.Join(d.root, "usr/bin")
}

// libraries is the loader's search path, with which those programs find the libraries that came with them.
func (d debian) libraries() string {
	tuple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	return filepath.Join(d.root, "usr/lib", tuple)
}

func (d debian) cniPlugins() string { return filepath.Join(d.root, "usr/lib/cni") }

// unpackDebian downloads and unpacks the packages of this machine's own release, with those that they depend on and the
// machine lacks. It is cached as Build is; the key names the release and not the packages' versions, because reading those
// needs apt's lists, which a fresh machine has not.
func unpackDebian(ctx context.Context, progress io.Writer) (debian, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return debian{}, fmt.Errorf("reading which Debian this is: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return debian{}, fmt.Errorf("finding the user's cache directory: %w", err)
	}
	parent := filepath.Join(cache, "osm", "debian")
	key := sha256.Sum256(fmt.Appendf(nil, "%q %s %s", debianPackages(), runtime.GOARCH, release))
	d := debian{filepath.Join(parent, hex.EncodeToString(key[:])[:20])}
	if d.unpacked() {
		return d, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return debian{}, fmt.Errorf("making the cache directory: %w", err)
	}
	lock, err := gobuild.Lock(ctx, filepath.Join(parent, "lock"))
	if err != nil {
		return debian{}, fmt.Errorf("waiting for another download of Debian's packages: %w", err)
	}
	defer lock.Close()
	if d.unpacked() {
		return d, nil
	}
	if err := d.fill(ctx, progress); err != nil {
		return debian{}, fmt.Errorf("unpacking Debian's %s: %w", strings.Join(debianPackages(), ", "), err)
	}
	return d, nil
}

// unpacked says whether the directory is complete, which it is as soon as it exists: it is renamed into place.
func (d debian) unpacked() bool {
	_, err := os.Stat(d.root)
	return err == nil
}

// fill downloads and unpacks into a directory beside the final one, then renames it.
func (d debian) fill(ctx context.Context, progress io.Writer) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("a full node takes its container runtime from Debian or a descendant of it: %w", err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(d.root), "unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	archives, root := filepath.Join(temp, "archives"), filepath.Join(temp, "root")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return err
	}
	if err := download(ctx, archives, progress); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := tell(progress, "unpacking "+filepath.Base(file)); err != nil {
			return err
		}
		if err := runQuietly(ctx, "dpkg", "-x", file, root); err != nil {
			return err
		}
	}
	return os.Rename(root, d.root)
}

// download fetches and verifies the packages. Lists that are missing or older than the archive are renewed once.
func download(ctx context.Context, archives string, progress io.Writer) error {
	// Options instead of `apt-get download`: apt then finds the dependencies, and still touches neither dpkg nor its locks.
	fetch := append([]string{
		"install", "--yes", "--download-only", "--reinstall", "--no-install-recommends",
		"-o", "Dir::Cache::Archives=" + archives, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1",
	}, debianPackages()...)
	if err := tell(progress, "downloading "+strings.Join(debianPackages(), ", ")+" (37 MB, once)"); err != nil {
		return err
	}
	first := runQuietly(ctx, "apt-get", fetch...)
	if first == nil {
		return nil
	}
	if err := tell(progress, "renewing apt's lists"); err != nil {
		return err
	}
	if err := runQuietly(ctx, "apt-get", "update"); err != nil {
		return errors.Join(first, err)
	}
	return runQuietly(ctx, "apt-get", fetch...)
}

func tell(progress io.Writer, text string) error {
	_, err := fmt.Fprintln(progress, "debian:", text)
	return err
}

// runQuietly runs a command whose output matters only when it fails.
func runQuietly(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
