//go:build hostile

package controlplane

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/webhook"
)

const (
	webhookVariable = "OSM_HOSTILE_WEBHOOK"
	// secondsVariable has the attacks on memory last longer.
	secondsVariable = "OSM_HOSTILE_SECONDS"
	attackers       = 20
)

// served is a component's webhook, as the chart has it.
type served struct {
	path  string
	limit int64 // of the container's memory, in bytes
	// largest is the largest body that is taken, in bytes.
	largest int
	// good is a request that has to be answered, and answer is in what it gets.
	good, answer string
	// before and after stand around an object that attackers choose.
	before, after string
}

const meshConfig = `{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"a","namespace":"osm-system"},"spec":`

var webhooks = map[string]served{
	"osm-injector": {
		path: "/mutate-pod-creation", limit: 128e6, largest: 7 << 20,
		before: admissionReview + `"kind":{"version":"v1","kind":"Pod"},"namespace":"shop","object":{"metadata":{"name":"a"},"spec":{"containers":[{"name":"a"}],"x":`, after: `}}}}`,
		good: `{}`, answer: `"patchType":"JSONPatch"`,
	},
	"osm-bootstrap": {
		path: "/convert", limit: 128e6, largest: 4 << 20,
		before: `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u","desiredAPIVersion":"config.openservicemesh.io/v1","objects":[` + meshConfig, after: `}]}}`,
		good: `{}`, answer: `"status":"Success"`,
	},
	"osm-controller": {
		path: "/validate", limit: 1e9, largest: 7 << 20,
		before: admissionReview + `"kind":{"group":"config.openservicemesh.io","version":"v1alpha2","kind":"MeshConfig"},"namespace":"osm-system","object":` + meshConfig, after: `}}}`,
		good: `{}`, answer: `"allowed":true`,
	},
}

const admissionReview = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE",`

// TestServeWebhook is the process that is attacked.
func TestServeWebhook(t *testing.T) {
	name := os.Getenv(webhookVariable)
	if name == "" {
		t.Skip("is run by the attacks")
	}
	var handler http.Handler
	logger := slog.New(slog.DiscardHandler)
	switch name {
	case "osm-injector":
		debug.SetGCPercent(900)
		debug.SetMemoryLimit(80 << 20)
		handler = injectorHook(t, logger)
	case "osm-bootstrap":
		debug.SetMemoryLimit(80 << 20)
		handler = webhook.NewConverter(logger)
	default:
		debug.SetMemoryLimit(640 << 20)
		hook, err := webhook.Admission(webhook.NewValidator(webhook.ValidatorOptions{}), logger)
		if err != nil {
			t.Fatal(err)
		}
		handler = hook
	}
	pki := httptest.NewTLSServer(nil) // for its certificate
	defer pki.Close()
	server, err := webhook.NewServer(webhook.ServerOptions{
		Certificates: ownCertificate{&pki.TLS.Certificates[0]},
		Handlers:     map[string]http.Handler{webhooks[name].path: handler},
		DrainTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nserving %s\n", listener.Addr())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()
	_ = server.Serve(ctx, listener) // cuts attackers off
}

type ownCertificate struct{ certificate *tls.Certificate }

func (c ownCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.certificate, nil
}

type anyNamespace struct{}

func (anyNamespace) Get(name string) (*corev1.Namespace, error) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}}, nil
}

func injectorHook(t *testing.T, logger *slog.Logger) http.Handler {
	t.Helper()
	config, err := injector.NewConfig(injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local",
		SidecarImage: "example.test/sidecar:v1", InitImage: "example.test/osm-init:v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := injector.NewHandler(injector.Options{
		Config: func() *injector.Config { return config }, Namespaces: anyNamespace{}, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	hook, err := webhook.Admission(handler, logger)
	if err != nil {
		t.Fatal(err)
	}
	return hook
}

// victim is a process that serves a webhook.
type victim struct {
	served
	pid int
	url string
}

func startVictim(t *testing.T, name string) *victim {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "-test.run=^TestServeWebhook$")
	command.Env = append(os.Environ(), webhookVariable+"="+name)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return &victim{served: webhooks[name], pid: command.Process.Pid, url: "https://" + address + webhooks[name].path}
		}
	}
	t.Fatal("the webhook does not serve")
	return nil
}

// peak is the most memory that the process has had at any time, in bytes. What
// it maps of its binary does not count: the kernel takes that back before it
// ends a container, and this binary is three times as large as a component's.
func (v *victim) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
	if err != nil {
		return 0, fmt.Errorf("the webhook has ended: %w", err)
	}
	peak, err := memoryOf(string(status), "VmHWM:")
	mapped, err2 := memoryOf(string(status), "RssFile:")
	return peak - mapped, errors.Join(err, err2)
}

func memoryOf(status, field string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("the webhook has no %s", field)
}

func caller(connections int) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxConnsPerHost: connections, ForceAttemptHTTP2: true,
	}}
}

func (v *victim) post(ctx context.Context, client *http.Client, body io.Reader, encoding string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url, body)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(text), err
}

func (v *victim) isAnswered(ctx context.Context, client *http.Client) error {
	status, text, err := v.post(ctx, client, strings.NewReader(v.before+v.good+v.after), "")
	if err == nil && (status != http.StatusOK || !strings.Contains(text, v.answer)) {
		err = fmt.Errorf("answered %d %.300s", status, text)
	}
	return err
}

// bomb is a body of 7 MB at most.
type bomb struct {
	body     []byte
	encoding string
	chunked  bool
}

func (v *victim) bombs() map[string]bomb {
	fill := func(head, item, tail string, size int) bomb {
		room := size - len(v.before) - len(head) - len(tail) - len(v.after) - 1
		return bomb{body: []byte(v.before + head + strings.TrimSuffix(strings.Repeat(item, room/len(item)), ",") + tail + v.after)}
	}
	whole := 7 << 20
	bombs := map[string]bomb{
		"elements":             fill("[", "{},", "]", whole),
		"nested elements":      fill("[", "[[{}]],", "]", whole),
		"members":              fill("[", `{"a":{},"b":{}},`, "]", whole),
		"one member again":     fill("{", `"a":1,`, "}", whole),
		"depth":                fill("", "[", "]", whole),
		"one string":           fill(`"`, "a", `"`, whole),
		"many strings":         fill("[", `"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",`, "]", whole),
		"as many as are taken": fill("[", "{},", "]", 290_000),
		"as large as is taken": fill("[", `"`+strings.Repeat("a", 1<<20-1000)+`",`, "]", v.largest),
	}
	// What is larger as a Go value than any other element, in 7 MB and in what passes.
	for what, n := range map[string]int{"7 MB of containers": whole/3 - 1000, "containers": 95_000} {
		list := `"containers":[` + strings.TrimSuffix(strings.Repeat("{},", n), ",") + `]`
		bombs[what] = bomb{body: []byte(strings.Replace(v.before, `"containers":[{"name":"a"}]`, list, 1) + "{}" + v.after)}
	}
	chunked := bombs["many strings"]
	chunked.chunked = true
	bombs["chunks"] = chunked
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(bombs["elements"].body)
	_ = w.Close()
	bombs["gzip"] = bomb{body: packed.Bytes(), encoding: "gzip"}
	return bombs
}

// attackSeconds is how long each attack lasts.
func attackSeconds() time.Duration {
	if seconds, err := strconv.Atoi(os.Getenv(secondsVariable)); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return 3 * time.Second
}

// besiege sends bombs without a pause, and good requests beside them. It returns
// what of these was answered.
func (v *victim) besiege(t *testing.T, connections int, send func(ctx context.Context, client *http.Client)) (good int, slowest time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), attackSeconds())
	defer cancel()
	var attacks sync.WaitGroup
	client := caller(connections)
	defer client.CloseIdleConnections()
	for range attackers {
		attacks.Go(func() {
			for ctx.Err() == nil {
				send(ctx, client)
			}
		})
	}
	user := caller(4)
	defer user.CloseIdleConnections()
	for ctx.Err() == nil && err == nil {
		start := time.Now()
		if err = v.isAnswered(t.Context(), user); err == nil {
			good, slowest = good+1, max(slowest, time.Since(start))
		}
	}
	cancel()
	attacks.Wait()
	return good, slowest, err
}

func (v *victim) report(good int, slowest time.Duration, err error) (string, error) {
	peak, peakErr := v.peak()
	switch {
	case peakErr != nil:
		return "", peakErr
	case err != nil:
		return "", fmt.Errorf("a good request among the attacks: %w", err)
	case peak >= v.limit:
		return "", fmt.Errorf("%d MB at the peak, of %d", peak/1e6, v.limit/1e6)
	}
	return fmt.Sprintf("%d MB at the peak of %d, %d good requests answered, the slowest in %s", peak/1e6, v.limit/1e6, good, slowest.Round(time.Millisecond)), nil
}

func TestBodiesThatExplode(t *testing.T) {
	for name := range webhooks {
		v := startVictim(t, name)
		for what, b := range v.bombs() {
			attack.Refused(t, "webhook", name+" is sent "+what+", 20 at once from 4 connections", func(t *testing.T) (string, error) {
				return v.report(v.besiege(t, 4, func(ctx context.Context, client *http.Client) {
					var body io.Reader = bytes.NewReader(b.body)
					if b.chunked {
						body = struct{ io.Reader }{body}
					}
					_, _, _ = v.post(ctx, client, body, b.encoding) // a refusal closes the connection under the body
				}))
			})
		}
		attack.Refused(t, "webhook", name+" is sent bodies that never end, 250 at once", func(t *testing.T) (string, error) {
			open := holdBodies(t, v, 250)
			defer open()
			return v.report(v.besiege(t, 1, func(ctx context.Context, _ *http.Client) { <-ctx.Done() }))
		})
		attack.Works(t, "webhook", name+" answers after the attacks", func(t *testing.T) (string, error) {
			return "200", v.isAnswered(t.Context(), caller(1))
		})
	}
}

// holdBodies opens connections that send 60 kB of a body and then nothing.
func holdBodies(t *testing.T, v *victim, n int) (closeAll func()) {
	t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(v.url, "https://"), v.path)
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7000000\r\n\r\n[", v.path)
	body := head + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",`, 1700)
	var connections []net.Conn
	for range n {
		conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			continue // refused is as well
		}
		connections = append(connections, conn)
		_, _ = conn.Write([]byte(body))
	}
	return func() {
		for _, conn := range connections {
			_ = conn.Close()
		}
	}
}
