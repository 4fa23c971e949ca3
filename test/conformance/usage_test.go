package conformance

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on every architecture
// that Go runs on (proc_pid_stat(5)).
const tick = 10 * time.Millisecond

// pid is that of Pipy itself, below the shell that waits for it.
func (p *proxy) pid() string {
	p.t.Helper()
	shell := strconv.Itoa(p.process.Process.Pid)
	children, err := os.ReadFile("/proc/" + shell + "/task/" + shell + "/children")
	if pids := bytes.Fields(children); err == nil && len(pids) == 1 {
		return string(pids[0])
	}
	return shell
}

// usage is what Pipy has used of the CPU since its start, and the memory that it
// has now, in bytes.
func (p *proxy) usage() (cpu time.Duration, resident int64) {
	p.t.Helper()
	pid := p.pid()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		p.t.Fatal(err)
	}
	// Fields 14 and 15, counted from behind the name, which may hold blanks.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		cpu += time.Duration(ticks) * tick
	}
	pages, err := strconv.ParseInt(string(fields[21]), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return cpu, pages * int64(os.Getpagesize())
}

// demand is a way to call through Pipy.
type demand struct {
	name string
	rate int // requests a second; none is idle
	ask  func(context.Context) (net.Conn, error)
	// fresh has every request have a connection of its own.
	fresh bool
	// clients have a connection each. Default: 16.
	clients int
}

// TestWhatASidecarUses measures what the requests of a sidecar are by default,
// and that its memory stays within them.
func TestWhatASidecarUses(t *testing.T) {
	m := newMesh(t, pipyBinary(t))
	p := m.start(nil)
	other := m.reference()
	p.waitReady(pipyAddress)
	application(t, m.otherPod, "[::]:8080")
	application(t, m.pipyPod, "[::]:8080")
	out := func(context.Context) (net.Conn, error) { return dial(p.n, "10.0.0.2:8080") }
	in := func(ctx context.Context) (net.Conn, error) {
		return other.DialPeer(ctx, "10.0.0.1:8080", identityOf(t, "bookbuyer", "bookbuyer"))
	}
	// What the injector has a sidecar request: docs/injection.md#resources.
	const memory, cpu = 32 << 20, 0.010
	for _, l := range []demand{
		{name: "idle"},
		{name: "out", rate: 100, ask: out}, {name: "out", rate: 500, ask: out},
		{name: "in", rate: 100, ask: in}, {name: "in", rate: 500, ask: in},
		{name: "out, a connection each", rate: 50, ask: out, fresh: true},
		{name: "in, a connection each", rate: 50, ask: in, fresh: true},
		{name: "idle again"},
		{name: "out, 1000 connections", rate: 300, ask: out, clients: 1000},
		{name: "in, 1000 connections", rate: 300, ask: in, clients: 1000},
	} {
		used, resident := p.under(l)
		t.Logf("%-24s %4d requests/s: %5.1f m of CPU, %5.1f MiB", l.name, l.rate, 1000*used, float64(resident)/(1<<20))
		if l.clients == 0 && resident > memory {
			t.Errorf("%s: %d bytes resident, above the request of %d", l.name, resident, memory)
		}
		if l.rate == 0 && used > cpu {
			t.Errorf("%s: %f of a CPU, above the request of %f", l.name, used, cpu)
		}
	}
}

// under returns what part of a CPU Pipy needs under a load, and its memory at
// the end.
func (p *proxy) under(l demand) (cpu float64, resident int64) {
	p.t.Helper()
	const lasts = 5 * time.Second
	before, _ := p.usage()
	ctx, cancel := context.WithTimeout(p.t.Context(), lasts)
	defer cancel()
	start := time.Now()
	if l.rate == 0 {
		<-ctx.Done()
	} else if err := l.run(ctx); err != nil {
		p.t.Errorf("%s: %v", l.name, err)
	}
	after, resident := p.usage()
	return float64(after-before) / float64(time.Since(start)), resident
}

// run has the clients call in turn, at the rate, until ctx ends.
func (l demand) run(ctx context.Context) error {
	clients := cmp.Or(l.clients, 16)
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return l.ask(context.WithoutCancel(ctx)) },
		DisableKeepAlives: l.fresh,
	}
	due := time.NewTicker(time.Second / time.Duration(l.rate))
	defer due.Stop()
	var group errgroup.Group
	for range clients {
		// A client of its own for each, so that each holds its connection.
		client := &http.Client{Transport: transport.Clone(), Timeout: time.Minute} // on a machine that is busy
		group.Go(func() error {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-due.C:
				}
				if err := get(client, "http://books:8080/"); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
