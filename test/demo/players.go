package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

const (
	inboundPort   = "15003"
	forwardedCert = "X-Forwarded-Client-Cert"
)

// player is the sidecar of an injected pod, and an application behind it.
type player struct {
	pod     *corev1.Pod
	options sidecar.Options
	sidecar *sidecar.Sidecar
	cancel  context.CancelFunc
	ended   chan error
	app     *http.Server
}

// application answers with the identity of the caller, as the sidecar says.
func application() (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get(forwardedCert))
	})}
	go server.Serve(listener) // until closed by end
	return server, listener.Addr().String(), nil
}

func (n *narrator) play(ctx context.Context, namespace, name string) (*player, error) {
	pod, err := mesh.Pod(ctx, n.client, namespace, name)
	if err != nil {
		return nil, err
	}
	options, err := mesh.ProxyOptions(n.cluster, n.client, pod, n.logger)
	if err != nil {
		return nil, err
	}
	p := &player{pod: pod, options: options, ended: make(chan error, 1)}
	if p.app, options.Application, err = application(); err != nil {
		return nil, err
	}
	if p.sidecar, err = sidecar.New(options); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	go func() { p.ended <- p.sidecar.Run(running) }()
	return p, nil
}

func (p *player) name() string { return p.pod.Spec.ServiceAccountName }

// end stops the sidecars and their applications.
func (n *narrator) end() {
	for _, p := range []*player{n.buyer, n.store} {
		if p == nil {
			continue
		}
		p.cancel()
		if err := errors.Join(<-p.ended, p.app.Close()); err != nil {
			proof("%s: %v", p.name(), err)
		}
	}
}

// certify starts both sidecars and prints what they get over SDS.
func (n *narrator) certify(ctx context.Context) (err error) {
	if n.buyer, err = n.play(ctx, "bookbuyer", "bookbuyer"); err != nil {
		return err
	}
	if n.store, err = n.play(ctx, "bookstore", "bookstore-v2"); err != nil {
		return err
	}
	for _, p := range []*player{n.buyer, n.store} {
		state, err := p.sidecar.Wait(ctx, sidecar.State.Ready)
		if err != nil {
			return fmt.Errorf("%s got no certificate: %w", p.name(), err)
		}
		if err := checkLeaf(state.Leaf(), p.pod); err != nil {
			return err
		}
		if err := leadsTo(state, n.root); err != nil {
			return err
		}
		proof("   issued by %s", state.Leaf().Issuer)
	}
	return nil
}

// leadsTo checks that the chain of a sidecar ends with the root.
func leadsTo(state sidecar.State, root *x509.Certificate) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, der := range state.Certificate().Certificate[1:] {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates.AddCert(certificate)
	}
	_, err := state.Leaf().Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}

func checkLeaf(leaf *x509.Certificate, pod *corev1.Pod) error {
	name := pod.Spec.ServiceAccountName + "." + pod.Namespace + ".cluster.local"
	id := "spiffe://cluster.local/ns/" + pod.Namespace + "/sa/" + pod.Spec.ServiceAccountName
	left := time.Until(leaf.NotAfter)
	proof("CN %s", leaf.Subject.CommonName)
	proof("   URI %s, until %s (in %s)", leaf.URIs[0], leaf.NotAfter.UTC().Format(time.RFC3339), left.Round(time.Minute))
	if leaf.Subject.CommonName != name || leaf.URIs[0].String() != id || left > day || left < day-time.Minute {
		return fmt.Errorf("that is not the 24-hour certificate of %s", name)
	}
	return nil
}

// shakeHands calls the bookstore from the bookbuyer, sidecar to sidecar.
func (n *narrator) shakeHands(ctx context.Context) error {
	store, err := identity.New("cluster.local", n.store.pod.Namespace, n.store.name())
	if err != nil {
		return err
	}
	conn, err := n.buyer.sidecar.DialPeer(ctx, net.JoinHostPort(n.store.pod.Status.PodIP, inboundPort), store)
	if err != nil {
		return err
	}
	defer conn.Close()
	seen := conn.ConnectionState().PeerCertificates[0].URIs[0]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://bookstore/books", nil)
	if err != nil {
		return err
	}
	if err := request.Write(conn); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	proof("%s sees the server as %s", n.buyer.name(), seen)
	proof("%s's application is told of the client: %s", n.store.name(), body)
	buyer := "URI=spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"
	if seen.String() != store.String() || string(body) != buyer || response.StatusCode != http.StatusOK {
		return fmt.Errorf("they took each other for somebody else: %s", response.Status)
	}
	return nil
}

// refuse lets the bookbuyer ask for the bookstore's certificate.
func (n *narrator) refuse(ctx context.Context) error {
	const name = "service-cert:bookstore/bookstore-v2"
	err := sidecar.Fetch(ctx, n.buyer.options, name)
	if status.Code(errors.Unwrap(err)) != codes.PermissionDenied {
		return fmt.Errorf("%s asked for %s and was told: %v", n.buyer.name(), name, err)
	}
	proof("%s asks for %s:", n.buyer.name(), name)
	proof("  %s", strings.TrimSpace(err.Error()))
	return nil
}

func parseLeaf(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
