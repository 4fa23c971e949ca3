package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
)

// soak is what its parts share.
type soak struct {
	size    size
	cluster *cluster.Cluster
	client  kubernetes.Interface
	objects dynamic.Interface
	bundles *bundles
	crowd   crowd
	tally   tally
	record  record
	pipys   *pipys // nil where there is no Pipy
	gate    gate

	round   sync.Mutex   // held for a round of rotations
	still   sync.RWMutex // held for a handshake, and while clocks jump
	waiting atomic.Bool  // whether Pipys are not to be called yet
	behind  atomic.Bool  // whether clocks are behind
	shifted atomic.Bool  // whether the clocks of all that runs have jumped
	skewed  struct {
		by    time.Duration // of the last clocks that were off
		until time.Time
	}
	resumed time.Duration // after a suspension, until every proxy was ready

	vault       *authority.Vault       // nil until it is needed
	certManager *authority.CertManager // nil until it is needed

	steps   chan struct{} // of the mesh's record; has one slot
	cutOff  atomic.Value  // string: the pod that does not reach the API server
	made    int           // MeshRootCertificates that were made
	signers []signer      // that are Active, the newest last, without the first
}

func (s *soak) run(ctx context.Context) (err error) {
	config := s.cluster.Config()
	config.Wrap(s.gate.wrap)
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if s.objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	if s.bundles, err = newBundles(s.client, s.step); err != nil {
		return err
	}
	if err := mesh.Install(ctx, s.cluster.Config(), s.values()); err != nil {
		return err
	}
	beside, stop := context.WithCancel(ctx)
	defer stop()
	group, beside := errgroup.WithContext(beside)
	group.Go(func() error { return s.bundles.Run(beside) })
	group.Go(func() error {
		defer stop()
		return s.story(beside, group)
	})
	err = group.Wait()
	for _, p := range s.crowd.all() {
		p.end()
	}
	err = errors.Join(err, s.pipys.end())
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(cause, err)
	}
	return errors.Join(err, s.result())
}

// story is what happens, one after the other.
func (s *soak) story(ctx context.Context, beside *errgroup.Group) error {
	if err := errors.Join(s.setDeadline(ctx), s.settle(ctx), s.gather(ctx)); err != nil {
		return err
	}
	fmt.Printf("%d proxies of %d service accounts have certificates\n", s.size.proxies, accounts)
	if err := s.gatherPipys(ctx); err != nil {
		return err
	}
	for range runtime.NumCPU() {
		beside.Go(func() error { return s.load(ctx) })
	}
	for range s.pipys.count() {
		beside.Go(func() error { return s.loadPipys(ctx) })
	}
	beside.Go(func() error { return s.record.watch(ctx, &s.tally) })
	if err := s.calm(ctx); err != nil {
		return err
	}
	beside.Go(func() error { return s.churn(ctx) })
	if s.size.pace > 0 {
		return s.longStory(ctx)
	}
	if err := s.quietHalf(ctx); err != nil {
		return err
	}
	return s.killedHalf(ctx)
}

// values are the chart's.
func (s *soak) values() map[string]any {
	two := map[string]any{"replicaCount": 2}
	return map[string]any{"osm": map[string]any{
		"certificateProvider": map[string]any{"serviceCertValidityDuration": s.size.lifetime.String()},
		"clockSkew":           s.size.clockSkew.String(),
		"osmBootstrap":        two, "injector": two, "osmController": two,
	}}
}

// result is why the run proves nothing, nil if it does.
func (s *soak) result() error {
	var problems []error
	if n := s.tally.failures.Load(); n > 0 {
		problems = append(problems, fmt.Errorf("%d failures", n))
	}
	if n := s.tally.handshakes.Load(); n < s.size.handshakes {
		problems = append(problems, fmt.Errorf("only %d of %d handshakes", n, s.size.handshakes))
	}
	if n := s.tally.kills.Load(); n < s.size.kills {
		problems = append(problems, fmt.Errorf("only %d of %d kills", n, s.size.kills))
	}
	if n := s.tally.wrong.Load(); n > 0 {
		problems = append(problems, fmt.Errorf("%d wrong identities", n))
	}
	if s.size.pace > 0 {
		problems = append(problems, s.record.flat()...)
	}
	if s.pipys.count() > 0 && s.tally.pipy.Load() == 0 {
		problems = append(problems, errors.New("no handshake with a Pipy"))
	}
	return errors.Join(problems...)
}
