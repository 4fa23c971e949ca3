// Command app is the application in the pods of the mesh's test, and has two sides:
//
//	127.0.0.1:8080  tells whoever asks who they are, as the sidecar says; nobody but the pod's own sidecar gets there
//	:8081           GET /?host=HOST&peer=ID asks HOST through the sidecar, which is to find ID there, and tells the answer
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	sidecar = "http://127.0.0.1:15001/"
	timeout = 5 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, "127.0.0.1:8080", tellCaller) })
	group.Go(func() error { return serve(ctx, ":8081", call) })
	if err := group.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address string, handler http.HandlerFunc) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: timeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) // which has Serve return
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func tellCaller(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header.Get("x-forwarded-client-cert"))
}

func call(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, sidecar, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	request.Host = r.FormValue("host")
	request.Header.Set("x-osm-peer", r.FormValue("peer"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body) // an answer that is cut off is not the one that the test wants
}
