package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	scripts "github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/mesh"
	realpipy "github.com/osm-edge/osm/test/pipy"
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
	identity identity.Identity
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

func (s *soak) startPipy(ctx context.Context, binary string, pod *corev1.Pod) (*pipy, error) {
	identity, err := identity.New(trustDomain, pod.Namespace, pod.Spec.ServiceAccountName)
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
