package gobuild

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// meter turns what the Go command tells on standard error into progress: a line that is rewritten on a terminal,
// a plain line now and then elsewhere.
type meter struct {
	name     string
	out      io.Writer
	terminal bool
	start    time.Time

	mu      sync.Mutex
	partial string
	awaited map[string]bool // packages that are still to be compiled
	total   int
	fetched int
	other   []string // lines that are no progress: why the build failed, if it does
}

func newMeter(name string, out io.Writer) *meter {
	return &meter{name: name, out: out, terminal: isTerminal(out), start: time.Now()}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// run shows progress until the function that it returns is called.
func (m *meter) run() (stop func()) {
	period := 15 * time.Second
	if m.terminal {
		period = time.Second
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.show()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

func (m *meter) elapsed() string { return time.Since(m.start).Round(time.Second).String() }

// expect sets the packages that the lines of the build will name.
func (m *meter) expect(packages []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.awaited, m.total = map[string]bool{}, len(packages)
	for _, p := range packages {
		m.awaited[p] = true
	}
}

// Write takes the Go command's standard error.
func (m *meter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := strings.Split(m.partial+string(p), "\n")
	m.partial = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		m.take(line)
	}
	return len(p), nil
}

func (m *meter) take(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		m.fetched++
	case m.awaited[line]:
		delete(m.awaited, line)
	default:
		m.other = append(m.other, line)
	}
}

// complaint is what the Go command said beside its progress.
func (m *meter) complaint() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(append(m.other, m.partial), "\n")
}

func (m *meter) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := fmt.Sprintf("%d of %d packages compiled", m.total-len(m.awaited), m.total)
	switch {
	case m.awaited == nil:
		state = fmt.Sprintf("%d modules fetched", m.fetched)
	case len(m.awaited) == 0:
		state = "linking"
	}
	m.print(fmt.Sprintf("%s, %s", state, m.elapsed()), m.terminal)
}

func (m *meter) say(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.print(text, false)
}

// print writes a line; one that is transient is overwritten by the next. A progress that can't be shown stops nothing.
func (m *meter) print(text string, transient bool) {
	begin, end := "", "\n"
	if m.terminal {
		begin = "\r\x1b[K"
	}
	if transient {
		end = ""
	}
	_, _ = fmt.Fprint(m.out, begin, m.name, ": ", text, end)
}
