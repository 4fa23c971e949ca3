package cluster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// podStopGrace bounds how long a pod's processes may take to end when the cluster stops. A pod that is deleted has the time
// that its deletion gives it.
const podStopGrace = 2 * time.Second

// podLife is one pod from the moment it is bound to the node until it is gone.
type podLife struct {
	node       *fakeNode
	pod        *corev1.Pod // as first seen: what is read of it never changes
	address    netip.Addr
	inits      []*container
	containers []*container

	latest  chan *corev1.Pod // has one slot: the newest state
	changed chan struct{}    // has one slot: a container's status is news
	gone    chan struct{}    // closed when the API has the pod no more
	grace   atomic.Int64     // nanoseconds that its processes have to end

	wiring sync.Mutex
	wire   *wire // nil until a process needs it

	// Those below belong to the goroutine of run.
	current  *corev1.Pod
	sent     corev1.PodStatus
	finished bool // no container runs, and none will
}

func newPodLife(n *fakeNode, pod *corev1.Pod, address netip.Addr) *podLife {
	p := &podLife{
		node: n, pod: pod, address: address,
		latest: make(chan *corev1.Pod, 1), changed: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	p.grace.Store(int64(podStopGrace))
	for i := range pod.Spec.InitContainers {
		p.inits = append(p.inits, newInitContainer(p, &pod.Spec.InitContainers[i]))
	}
	for i := range pod.Spec.Containers {
		p.containers = append(p.containers, newContainer(p, &pod.Spec.Containers[i]))
	}
	p.offer(pod)
	return p
}

// offer replaces the state that run has not taken yet. It has one caller at a time.
func (p *podLife) offer(pod *corev1.Pod) {
	select {
	case <-p.latest:
	default:
	}
	p.latest <- pod
}

// note tells run that a container's status has changed.
func (p *podLife) note() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// forget ends a pod that the API has no more. Its processes get no time, if they still run: the deletion was forced.
func (p *podLife) forget() {
	p.kill()
	close(p.gone)
}

func (p *podLife) kill() {
	p.grace.Store(0)
	_ = p.signal(syscall.SIGKILL) // fails only if they have ended
}

// run returns when the pod is gone, or ctx ends, after its processes have ended.
func (p *podLife) run(ctx context.Context) error {
	defer p.unwire()
	running, end := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		p.runContainers(running)
	}()
	p.follow(ctx, end, finished)
	end()
	select {
	case <-finished:
	case <-time.After(2 * podStopGrace): // a deletion has given them longer, but the cluster stops
		p.kill()
		<-finished
	}
	return os.RemoveAll(p.dir())
}

// follow brings the API's view of the pod and its containers together, until one of the two is gone.
func (p *podLife) follow(ctx context.Context, end func(), finished <-chan struct{}) {
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.gone:
			return
		case p.current = <-p.latest:
		case <-p.changed:
		case <-retry:
		case <-finished:
			p.finished, finished = true, nil
		}
		retry = nil
		if err := p.act(ctx, end); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) { // not found: gone is about to be closed
			p.node.log.Warn("telling the API about a pod failed", "namespace", p.pod.Namespace, "pod", p.pod.Name, "error", err)
			retry = time.After(200 * time.Millisecond)
		}
	}
}

// runContainers runs the init containers one after another, those that go on as sidecars beside them, then all others. The
// sidecars end last. It returns when no container runs, and none will.
func (p *podLife) runContainers(ctx context.Context) {
	var sidecars, mains sync.WaitGroup
	beside, endSidecars := context.WithCancel(context.WithoutCancel(ctx))
	defer sidecars.Wait()
	defer endSidecars()
	for _, c := range p.inits {
		if c.sidecar {
			sidecars.Go(func() { c.run(beside) })
			continue
		}
		if exit := c.run(ctx); exit != 0 || ctx.Err() != nil {
			return
		}
	}
	for _, c := range p.containers {
		mains.Go(func() { c.run(ctx) })
	}
	mains.Wait()
}

// signal sends the signal to all processes of the pod. It fails with os.ErrProcessDone when there are none.
func (p *podLife) signal(s syscall.Signal) error {
	err := os.ErrProcessDone
	for _, list := range [][]*container{p.inits, p.containers} {
		for _, c := range list {
			if sent := c.signal(s); !errors.Is(sent, os.ErrProcessDone) {
				err = sent
			}
		}
	}
	return err
}

// apiServer is where the pod's processes reach the API server.
func (p *podLife) apiServer() (string, error) {
	p.wiring.Lock()
	defer p.wiring.Unlock()
	if p.wire == nil {
		var err error
		if p.wire, err = newWire(p.node.plan.hostPort()); err != nil {
			return "", err
		}
	}
	return "https://" + p.wire.address, nil
}

// cut cuts the pod's processes off from the API server.
func (p *podLife) cut() (fix func(), err error) {
	p.wiring.Lock()
	defer p.wiring.Unlock()
	if p.wire == nil {
		return nil, os.ErrProcessDone
	}
	return p.wire.cut(), nil
}

func (p *podLife) unwire() {
	p.wiring.Lock()
	defer p.wiring.Unlock()
	if p.wire != nil {
		p.wire.close()
	}
}

// dir is the directory of the pod's files.
func (p *podLife) dir() string { return filepath.Join(p.node.plan.dir, "pods", string(p.pod.UID)) }
