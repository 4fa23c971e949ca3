package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

// kubeletDelay is at most how late a mounted file changes here.
const kubeletDelay = 5 * time.Second

// proxy is the sidecar of a pod: its side of the SDS protocol, and what it shows
// to peers.
type proxy struct {
	pod      *corev1.Pod
	identity identity.Identity
	sidecar  *sidecar.Sidecar
	// mute proxies acknowledge nothing.
	mute   bool
	cancel context.CancelFunc
	ended  chan struct{}
	view   atomic.Pointer[view]
	first  *tls.Certificate // when it came to take part
}

// view is what a proxy has at one moment.
type view struct {
	of          *proxy
	certificate *tls.Certificate
	bundle      trustbundle.TrustBundle
	pool        *x509.CertPool
}

func (s *soak) newProxy(ctx context.Context, pod *corev1.Pod, place int, mute bool) (*proxy, error) {
	identity, err := identity.New(trustDomain, pod.Namespace, pod.Spec.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	options, err := mesh.ProxyOptions(s.cluster, s.client, pod, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	options.Incremental, options.Mute = place%3 == 2, mute
	options.Bootstrap = withoutListeners(options.Bootstrap)
	read, started, delay := options.ReadFile, time.Now(), rand.N(kubeletDelay)
	options.ReadFile = func(name string) ([]byte, error) {
		if path.Base(name) == rotation.BundleKey {
			return s.bundles.mounted(pod.Namespace, started, delay)
		}
		return read(name)
	}
	p := &proxy{pod: pod, identity: identity, mute: mute, ended: make(chan struct{})}
	if p.sidecar, err = sidecar.New(options); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		_ = p.sidecar.Run(running) // without listeners, it fails at nothing
	}()
	return p, nil
}

// withoutListeners leaves SDS, which is all that is used here.
func withoutListeners(b injector.Bootstrap) injector.Bootstrap {
	none := injector.Listener{}
	b.Inbound, b.Outbound, b.Admin, b.Readiness, b.Metrics, b.Probes = none, none, none, none, none, nil
	return b
}

func (p *proxy) end() {
	p.cancel()
	<-p.ended
}

// now returns what the proxy has now. Pools are made once for a state.
func (p *proxy) now() *view {
	state, known := p.sidecar.State(), p.view.Load()
	if known != nil && known.certificate == state.Certificate() && known.bundle.Equal(state.Bundle()) {
		return known
	}
	fresh := &view{p, state.Certificate(), state.Bundle(), state.Bundle().Pool()}
	p.view.Store(fresh)
	return fresh
}

// isNew reports whether the certificate is the proxy's first, and began less than
// skew ago: where clocks are behind, it may be refused, and there is none to keep
// meanwhile.
func (v *view) isNew() bool {
	return v.certificate == v.of.first && time.Since(v.certificate.Leaf.NotBefore) < skew
}

// leadsTo reports whether the proxy's certificate leads to the root.
func (v *view) leadsTo(root *x509.Certificate) bool {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, der := range v.certificate.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(c)
		}
	}
	_, err := v.certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err == nil
}

// String says whose proxy it is, whose root its certificate is of, and which
// roots it trusts.
func (v *view) String() string {
	last, err := x509.ParseCertificate(v.certificate.Certificate[len(v.certificate.Certificate)-1])
	if err != nil {
		return err.Error()
	}
	var roots []string
	for _, root := range v.bundle.Roots() {
		roots = append(roots, keyName(root.SubjectKeyId))
	}
	leaf := v.certificate.Leaf
	return fmt.Sprintf("%s (pod %s, leaf of root %s issued %s, until %s, trusts %v)", v.of.identity.SPIFFEID(), v.of.pod.Name,
		keyName(last.AuthorityKeyId), leaf.NotBefore.Add(issuer.ClockSkew).Format(time.TimeOnly), leaf.NotAfter.Format(time.TimeOnly), roots)
}

// keyName is short, and tells apart what is few.
func keyName(id []byte) string { return fmt.Sprintf("%x", id[:min(4, len(id))]) }
