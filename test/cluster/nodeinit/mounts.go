package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// replaced are the directories whose paths kubelet, containerd, runc and the CNI plugins hold fixed, by their place in
// the node's directory. The machine's own are hidden: neither sees what the other keeps there.
func replaced() map[string]string {
	return map[string]string{"run": "/run", "lib": "/var/lib", "log": "/var/log"}
}

// tunables are what a kubelet sets for the whole machine (k8s.io/component-helpers/node/util/sysctl). It writes only
// what differs, so it is shown files that have the values already.
func tunables() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

// refuseHidden refuses needed directories that the replaced ones would hide.
func refuseHidden(needed []string) error {
	for _, dir := range needed {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return err
		}
		for _, target := range replaced() {
			if strings.HasPrefix(real+"/", target+"/") {
				return fmt.Errorf("directory %s is hidden by the node's own %s: choose another place by TMPDIR or XDG_CACHE_HOME", dir, target)
			}
		}
	}
	return nil
}

func prepareMounts(dir string) error {
	// Private first, so that nothing goes back to the machine; then shared among those in here, which a kubelet asks of /.
	for _, propagation := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|propagation, ""); err != nil {
			return fmt.Errorf("set propagation of /: %w", err)
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for name, target := range replaced() {
		source := filepath.Join(dir, name)
		if err := os.MkdirAll(source, 0o755); err != nil {
			return err
		}
		if err := bind(source, target); err != nil {
			return err
		}
	}
	return fakeTunables(filepath.Join(dir, "sysctl"))
}

func fakeTunables(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, value := range tunables() {
		fake := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(fake, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := bind(fake, filepath.Join("/proc/sys", name)); err != nil {
			return err
		}
	}
	return nil
}

func bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s over %s: %w", source, target, err)
	}
	return nil
}
