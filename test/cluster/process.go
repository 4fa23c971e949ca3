package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// command is a program to run, as a value that pure functions make.
type command struct {
	name       string // in errors and logs
	path       string
	args       []string
	env        []string // empty for that of this process
	dir        string   // empty for that of this process
	log        string   // the file that takes both outputs, appended to
	namespaces uintptr  // flags of clone(2): the namespaces that are its own
}

// launcher starts processes that can't outlive this one. The kernel kills a child when the thread that forked it ends
// (PR_SET_PDEATHSIG, prctl(2)), and Go ends threads as it likes: all forks are those of one thread, held until close.
type launcher struct {
	forks chan func()
	once  sync.Once
}

func newLauncher() *launcher {
	l := &launcher{forks: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		for fork := range l.forks {
			fork()
		}
	}()
	return l
}

// close lets go of the thread. Its processes must have ended: whether the kernel would kill them is not sure, for Go never
// ends the first thread of the program, which may be this one.
func (l *launcher) close() { l.once.Do(func() { close(l.forks) }) }

// process is a running command.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and is reaped
}

// start runs the command in a process group of its own, which keeps the terminal's Ctrl-C from it: it is ended in order.
func (l *launcher) start(c command) (*process, error) {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.name, err)
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.env, c.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: c.namespaces}
	started := make(chan error)
	l.forks <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	p := &process{name: c.name, log: c.log, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
	}()
	return p, nil
}

// state is how the process ended; it may be called once done is closed.
func (p *process) state() *os.ProcessState { return p.cmd.ProcessState }

// signal sends the signal, or fails with os.ErrProcessDone.
func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// stop asks the process to end, kills it after the grace, and returns when it has ended.
func (p *process) stop(grace time.Duration) {
	_ = p.signal(syscall.SIGTERM) // fails only if the process has ended
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// ended is the error of a process that should still run: how it ended and the end of its log.
func (p *process) ended() error {
	return fmt.Errorf("%s ended: %s; the end of %s:\n%s", p.name, p.state(), p.log, tail(p.log))
}

// outlive returns nil when ctx ends, and an error if the process ends before.
func (p *process) outlive(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.done:
		return p.ended()
	}
}

// tail is the end of the file, from a line's beginning.
func tail(path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	const most = 4096
	if len(content) <= most {
		return content
	}
	content = content[len(content)-most:]
	return content[bytes.IndexByte(content, '\n')+1:]
}
