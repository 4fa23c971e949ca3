package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// aspects are what the kubelet asks about.
var aspects = []string{"startup", "readiness", "liveness"}

// health is how the application is said to be, and whom of the kubelet's hooks
// it has heard.
type health struct {
	mu      sync.Mutex
	good    map[string]bool
	hooks   []string
	changed func(aspect string, good bool)
}

// serveHealth serves the ports 8<number>0 to 8<number>3. The first is told how
// the application is:
//
//	GET /?aspect=ASPECT&good=BOOL
//	GET /hooks                     tells which hooks were heard
//
// The kubelet asks the second, about all aspects; of tcp, each aspect has a port
// of its own. When it ends, it leaves the hooks in its termination message.
func serveHealth(ctx context.Context, kind, number string) error {
	h := &health{good: map[string]bool{"startup": false, "readiness": true, "liveness": true}, changed: func(string, bool) {}}
	serveProbes, ok := map[string]func(context.Context, *health, string) error{
		"http": serveHTTP, "https": serveHTTPS, "tcp": serveTCP, "grpc": serveGRPC,
	}[kind]
	if !ok {
		return fmt.Errorf("no kind of probe: %q", kind)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveProbes(ctx, h, ":8"+number) })
	group.Go(func() error { return serve(ctx, ":8"+number+"0", h.orders()) })
	err := group.Wait()
	if err := os.WriteFile("/dev/termination-log", []byte(h.heard()), 0o600); err != nil {
		return err
	}
	return err
}

func (h *health) orders() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		h.set(r.FormValue("aspect"), r.FormValue("good") == "true")
	})
	mux.HandleFunc("GET /hooks", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, h.heard()) })
	return mux
}

func (h *health) set(aspect string, good bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.good[aspect] = good
	h.changed(aspect, good)
}

// follow calls changed with how each aspect is, now and whenever it is set.
func (h *health) follow(changed func(aspect string, good bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = changed
	for _, aspect := range aspects {
		changed(aspect, h.good[aspect])
	}
}

func (h *health) is(aspect string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.good[aspect]
}

func (h *health) hear(hook string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hooks = append(h.hooks, hook)
}

func (h *health) heard() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.hooks, " ")
}

// ServeHTTP answers probes and hooks by the last part of their path.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	about := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case strings.HasSuffix(about, "hook"):
		h.hear(about)
	case r.Header.Get("x-asked-by") != "kubelet":
		http.Error(w, "the probe's header is missing", http.StatusBadRequest)
	case !h.is(about):
		http.Error(w, "not well", http.StatusServiceUnavailable)
	}
}
