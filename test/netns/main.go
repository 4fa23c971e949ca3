package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// UID is the user that the tests run as, who isn't root.
const UID = 1500

// inside is set in the environment of the process that runs the tests.
const inside = "OSM_TEST_NETNS"

// Run has run, the Run of a testing.M, run the tests of a package, for TestMain,
// in a process of the user UID that may make namespaces. It returns the exit code.
func Run(run func() int) int {
	if os.Getenv(inside) != "" {
		return run()
	}
	// The tests end with this process, by way of the thread that started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "network namespaces for the tests can't be made, neither as root with CAP_SYS_ADMIN nor in a user namespace:", err)
		return 1
	}
	err = process.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		fmt.Fprintln(os.Stderr, "wait for the tests:", err)
		return 1
	}
	if code := process.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Fprintln(os.Stderr, "the tests ended:", process.ProcessState)
	return 1
}

// start starts the tests by whatever right there is.
func start() (process *exec.Cmd, err error) {
	var problems []error
	for _, right := range []*syscall.SysProcAttr{asRoot(), asUser()} {
		process = exec.Command("/proc/self/exe", os.Args[1:]...)
		process.Env = append(os.Environ(), inside+"=1")
		process.Stdin, process.Stdout, process.Stderr = os.Stdin, os.Stdout, os.Stderr
		process.SysProcAttr = right
		process.SysProcAttr.Pdeathsig = syscall.SIGKILL
		if err = process.Start(); err == nil {
			return process, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// asRoot keeps root's right to write the files that go test asks for.
func asRoot() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: UID, Gid: UID},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE},
	}
}

func asUser() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: UID, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: UID, HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_ADMIN},
	}
}
