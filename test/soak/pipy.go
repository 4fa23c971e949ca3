package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector"
	scripts "github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/mesh"
	realpipy "github.com/osm-edge/osm/test/pipy"
	"github.com/osm-edge/osm/trust"
)

const (
	// pipyCount is how many Pipys take part where there is one to run.
	pipyCount = 4
	// mountPeriod is how often it is looked whether mounted files are to change,
	// and tokenPeriod how old a token gets.
	mountPeriod = time.Second
	tokenPeriod = 10 * time.Minute
)

// pipys are sidecars that are Pipys. They stay until the end: the others come
// and go. None is nil.
type pipys struct {
	all         []*pipy
	said        string // the version
	application net.Listener
	relay       net.Listener
}

// pipy is the sidecar of a pod. What is mounted into the pod is in a directory,
// and its addresses are those of the loopback interface that the pod has here.
type pipy struct {
	pod      *corev1.Pod
	identity issuer.Identity
	host     string
	dir      string
	command  *exec.Cmd
	log      *os.File
}

func (p *pipys) count() int {
	if p == nil {
		return 0
	}
	return len(p.all)
}

func (p *pipys) version() string {
	if p == nil {
		return ""
	}
	return p.said
}

// gatherPipys has Pipys take part, if there is one to run.
func (s *soak) gatherPipys(ctx context.Context) error {
	binary, err := realpipy.Binary()
	if err != nil || binary == "" {
		return err
	}
	version, err := realpipy.Version(ctx, binary)
	if err != nil {
		return err
	}
	application, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, application.Close())
	}
	s.pipys = &pipys{said: version, application: application, relay: relay}
	go http.Serve(application, http.HandlerFunc(tellCaller)) // until it is closed
	go s.relaySDS(relay)
	for place := range pipyCount {
		pod, err := s.createPod(ctx, place)
		if err != nil {
			return err
		}
		p, err := s.startPipy(ctx, binary, pod)
		if err != nil {
			return err
		}
		s.pipys.all = append(s.pipys.all, p)
	}
	if !s.pipys.awaitReady(ctx) {
		return fmt.Errorf("the Pipys do not get certificates: %w", context.Cause(ctx))
	}
	fmt.Printf("%d of them are Pipys, of version %s\n", s.pipys.count(), s.pipys.said)
	return nil
}

// tellCaller is the application behind Pipys.
func tellCaller(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header["X-Forwarded-Client-Cert"])
}

// relaySDS connects with osm-controller as the cluster's network would.
func (s *soak) relaySDS(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		go func() {
			defer conn.Close()
			far, err := s.cluster.Dial(context.Background(), "tcp", "osm-controller."+mesh.Namespace+".svc:15128")
			if err != nil {
				return // Pipy tries again
			}
			defer far.Close()
			go func() {
				io.Copy(far, conn)
				far.Close()
			}()
			io.Copy(conn, far)
		}()
	}
}

func (s *soak) startPipy(ctx context.Context, binary string, pod *corev1.Pod) (*pipy, error) {
	identity, err := issuer.NewIdentity(trustDomain, pod.Namespace, pod.Spec.ServiceAccountName)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "osm-pipy")
	if err != nil {
		return nil, err
	}
	p := &pipy{pod: pod, identity: identity, host: "127." + strings.TrimPrefix(pod.Status.PodIP, "10."), dir: dir}
	mounted, err := mesh.ProxyOptions(s.cluster, s.client, pod, nil)
	if err != nil {
		return nil, err
	}
	bootstrap, err := json.Marshal(p.bootstrap(mounted.Bootstrap, s.pipys.relay.Addr().String()))
	if err != nil {
		return nil, err
	}
	files := scripts.Scripts()
	files["bootstrap.json"] = string(bootstrap)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	mount := s.mounter(p, mounted.ReadFile)
	if err := mount(); err != nil {
		return nil, err
	}
	if p.log, err = os.Create(filepath.Join(s.cluster.LogDir(), pod.Name+".pipy.log")); err != nil {
		return nil, err
	}
	p.command = exec.Command(binary, "--log-level=warn", filepath.Join(dir, "main.js"), "--", filepath.Join(dir, "bootstrap.json"))
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		for {
			pass(ctx, mountPeriod)
			if ctx.Err() != nil {
				return
			}
			_ = mount() // tried again, as the kubelet does
		}
	}()
	return p, nil
}

// bootstrap has Pipy listen on the pod's addresses of this machine, and find here
// what the kubelet would mount.
func (p *pipy) bootstrap(b injector.Bootstrap, sds string) injector.Bootstrap {
	at := func(l injector.Listener) injector.Listener {
		for i, address := range l.Listen {
			_, port, _ := net.SplitHostPort(address)
			l.Listen[i] = net.JoinHostPort(p.host, port)
		}
		l.Listen = l.Listen[:1]
		return l
	}
	b.Inbound, b.Outbound, b.Admin, b.Readiness, b.Metrics = at(b.Inbound), at(b.Outbound), at(b.Admin), at(b.Readiness), at(b.Metrics)
	b.SDS.Address, b.Probes = sds, nil
	b.SDS.TokenFile, b.SDS.CAFile = filepath.Join(p.dir, "token"), filepath.Join(p.dir, trust.BundleKey)
	return b
}

// mounter returns what writes the mounted files anew when that is due.
func (s *soak) mounter(p *pipy, read func(string) ([]byte, error)) func() error {
	began, delay := time.Now(), rand.N(kubeletDelay)
	var renewed time.Time
	return func() error {
		roots, err := s.bundles.mounted(p.pod.Namespace, began, delay)
		if err == nil {
			err = replaceFile(filepath.Join(p.dir, trust.BundleKey), roots)
		}
		// By the wall clock, as the kubelet: it may have jumped.
		if time.Now().Round(0).Sub(renewed) < tokenPeriod {
			return err
		}
		token, err2 := read(path.Join(p.dir, "token"))
		if err2 == nil {
			err2 = replaceFile(filepath.Join(p.dir, "token"), token)
		}
		if err2 == nil {
			renewed = time.Now().Round(0)
		}
		return errors.Join(err, err2)
	}
}

// replaceFile replaces a file at once.
func replaceFile(name string, content []byte) error {
	if err := os.WriteFile(name+".next", content, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".next", name)
}

// loadPipys makes handshakes with Pipys until ctx ends, and has them call others.
func (s *soak) loadPipys(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.waiting.Load() {
			pass(ctx, retryPeriod)
			continue
		}
		p, q := s.pipys.all[rand.IntN(s.pipys.count())], s.pipys.all[rand.IntN(s.pipys.count())]
		client, _ := s.crowd.pair()
		if client.mute {
			continue
		}
		s.still.RLock()
		near, began := client.now(), time.Now()
		_, err := s.callPipy(near, p)
		took := time.Since(began)
		err2 := s.callThrough(p, q)
		s.still.RUnlock()
		s.tally.handshakes.Add(1)
		s.tally.pipy.Add(1)
		s.tally.requests.Add(1)
		if err != nil {
			s.tally.failHandshake(err, "%s, after %s\n  client %s\n  server is the Pipy of pod %s", err, took, near, p.pod.Name)
		}
		if err2 != nil {
			s.tally.failHandshake(err2, "the Pipy of pod %s calls that of %s: %s", p.pod.Name, q.pod.Name, err2)
		}
	}
	return nil
}

// callPipy makes a connection to the Pipy, on which the application behind it is
// told who calls.
func (s *soak) callPipy(near *view, p *pipy) (*tls.ConnectionState, error) {
	raw, err := net.DialTimeout("tcp", net.JoinHostPort(p.host, "15003"), handshakeTimeout)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, clientConfig(near, p.identity))
	if err := conn.Handshake(); err != nil {
		return nil, fmt.Errorf("client's handshake: %w", err)
	}
	state := conn.ConnectionState()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.pipys.application.Addr())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return &state, fmt.Errorf("client's read: %w", err)
	}
	return &state, checkCaller(response, near.of.identity)
}

// checkCaller looks at what the application was told.
func checkCaller(response *http.Response, want issuer.Identity) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d %q", response.StatusCode, body)
	}
	if told := "[URI=" + want.SPIFFEID().String() + "]"; string(body) != told {
		return wrongIdentity{fmt.Errorf("the application is told %s, not %s", body, told)}
	}
	return nil
}

// callThrough has the application of one Pipy call that of another.
func (s *soak) callThrough(p, q *pipy) error {
	_, port, err := net.SplitHostPort(s.pipys.application.Addr().String())
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(p.host, "15001")+"/", nil)
	if err != nil {
		return err
	}
	request.Host = net.JoinHostPort(q.host, port)
	request.Header.Set("X-Osm-Peer", q.identity.SPIFFEID().String())
	client := &http.Client{Timeout: handshakeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return checkCaller(response, p.identity)
}

// pipysLeadTo reports whether every Pipy presents a certificate of the root.
func (s *soak) pipysLeadTo(root *x509.Certificate) bool {
	if s.pipys.count() == 0 {
		return true
	}
	client, _ := s.crowd.pair()
	for _, p := range s.pipys.all {
		state, err := s.callPipy(client.now(), p)
		if err != nil || state == nil {
			return false
		}
		presented := view{certificate: &tls.Certificate{Leaf: state.PeerCertificates[0]}}
		for _, c := range state.PeerCertificates {
			presented.certificate.Certificate = append(presented.certificate.Certificate, c.Raw)
		}
		if !presented.leadsTo(root) {
			return false
		}
	}
	return true
}

// ready reports whether all of them say so.
func (p *pipys) ready(ctx context.Context) bool {
	if p == nil {
		return true
	}
	for _, one := range p.all {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(one.host, "15902")+"/ready", nil)
		if err != nil {
			return false
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

func (p *pipys) awaitReady(ctx context.Context) bool {
	ctx, cancel := context.WithTimeoutCause(ctx, arrival, fmt.Errorf("not there after %s", arrival))
	defer cancel()
	for !p.ready(ctx) {
		if pass(ctx, retryPeriod); ctx.Err() != nil {
			return false
		}
	}
	return true
}

// end ends them all.
func (p *pipys) end() (err error) {
	if p == nil {
		return nil
	}
	for _, one := range p.all {
		_ = one.command.Process.Signal(syscall.SIGKILL) // it may have ended
		_ = one.command.Wait()                          // by that signal
		err = errors.Join(err, one.log.Close(), os.RemoveAll(one.dir))
	}
	return errors.Join(err, p.application.Close(), p.relay.Close())
}
