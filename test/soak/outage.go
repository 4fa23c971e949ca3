package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/clock"
	"github.com/osm-edge/osm/test/mesh"
)

const (
	// skew is how far clocks are off.
	skew = 5 * time.Minute
	// sleep is how long the node is suspended: less than the credentials that
	// the mesh's programs get here once last, which is a day.
	sleep = 16 * time.Hour
)

// killEach kills every process of the mesh, one after the other.
func (s *soak) killEach(ctx context.Context) error {
	for _, component := range mesh.Components {
		pods, err := s.componentPods(ctx, component)
		if err != nil {
			return err
		}
		for _, pod := range pods {
			err := s.cluster.Signal(pod.Namespace, pod.Name, syscall.SIGKILL)
			if errors.Is(err, os.ErrProcessDone) {
				continue // killed by what replaces roots, and not back yet
			}
			if err != nil {
				return err
			}
			s.tally.kills.Add(1)
			if err := mesh.WaitRollout(ctx, s.client, mesh.Namespace, component); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopAPIServer has the API server answer nothing: it stands still.
func (s *soak) stopAPIServer(ctx context.Context) error {
	processes, err := children()
	if err != nil {
		return err
	}
	for _, p := range processes {
		if p.program != "kube-apiserver" {
			continue
		}
		s.gate.open.Lock()
		defer s.gate.open.Unlock()
		if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
			return err
		}
		pass(ctx, s.size.outage)
		return errors.Join(syscall.Kill(p.pid, syscall.SIGCONT), s.awaitAPIServer(ctx))
	}
	return errors.New("there is no API server")
}

// awaitAPIServer asks past the gate until there is an answer.
func (s *soak) awaitAPIServer(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(s.cluster.Config())
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Get(ctx, mesh.Namespace, metav1.GetOptions{})
		return err == nil, nil
	})
}

// runAhead and fallBehind have the clocks of one replica of each component, and
// of one Pipy, off.
func (s *soak) runAhead(ctx context.Context) error   { return s.shiftSome(ctx, skew) }
func (s *soak) fallBehind(ctx context.Context) error { return s.shiftSome(ctx, -skew) }

// shiftSome has clocks off for a while. What was issued while others were off the
// other way has to be older than that: clocks may be apart by skew, not by twice
// as much.
func (s *soak) shiftSome(ctx context.Context, by time.Duration) error {
	if s.skewed.by == -by {
		pass(ctx, skew-time.Since(s.skewed.until))
	}
	defer func() { s.skewed.by, s.skewed.until = by, time.Now() }()
	processes, err := children()
	if err != nil {
		return err
	}
	s.behind.Store(by < 0)
	defer s.behind.Store(false)
	shifted := map[string]process{}
	for _, p := range processes {
		if _, done := shifted[p.program]; !p.ofTheMesh() || done {
			continue
		}
		if err := unlessEnded(clock.Shift(p.pid, by)); err != nil {
			return err
		}
		shifted[p.program] = p
	}
	pass(ctx, s.size.outage)
	for _, p := range shifted {
		if err := unlessEnded(clock.Shift(p.pid, 0)); err != nil {
			return err
		}
	}
	return nil
}

// unlessEnded is for processes that have taken their clocks with them.
func unlessEnded(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// suspend stops the node with all that runs on it, this program's proxies aside,
// and has it go on later: all clocks jump, and the monotonic ones do not.
func (s *soak) suspend(ctx context.Context) error {
	s.round.Lock() // not while something is started
	defer s.round.Unlock()
	s.gate.open.Lock()
	err := s.jump()
	err = errors.Join(err, s.awaitAPIServer(ctx))
	s.gate.open.Unlock()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	s.waiting.Store(false)
	s.resumed = time.Since(began)
	fmt.Printf("%s after a suspension of %s every proxy is ready again\n", s.resumed.Round(100*time.Millisecond), sleep)
	return nil
}

func (s *soak) jump() (err error) {
	s.still.Lock()
	defer s.still.Unlock()
	processes, err := children()
	if err != nil {
		return err
	}
	for _, p := range processes {
		if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, syscall.Kill(p.pid, syscall.SIGCONT)) }()
	}
	for _, p := range processes {
		if err := clock.Shift(p.pid, sleep); err != nil {
			return err
		}
	}
	s.shifted.Store(true)
	s.waiting.Store(true)
	return clock.Shift(os.Getpid(), sleep)
}

// awaitReady waits until every proxy has a certificate that is valid.
func (s *soak) awaitReady(ctx context.Context) error {
	var missing []*proxy
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		missing = nil
		for _, p := range s.crowd.all() {
			if !p.sidecar.State().Ready() {
				missing = append(missing, p)
			}
		}
		return len(missing) == 0 && s.pipys.ready(ctx), nil
	})
	if err != nil {
		return fmt.Errorf("%d proxies are not ready: %w\n  %s", len(missing), context.Cause(ctx), names(missing))
	}
	return nil
}

// pass waits.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
