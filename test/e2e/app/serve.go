package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const callerHeader = "x-forwarded-client-cert"

// serveAll serves three ports:
//
//	8080  tells each client who it is said to be; /books is for the CUSTOMER of the environment alone
//	8081  GET /?url=URL&claim=WHO calls URL, claiming to be WHO, and tells the answer;
//	      /begin?url=URL&want=BODY calls URL without pause, and /finish ends that and tells what came of it
//	8082  is as 8080
func serveAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, ":8080", shop(os.Getenv("CUSTOMER"))) })
	group.Go(func() error { return serve(ctx, ":8081", orders()) })
	group.Go(func() error { return serve(ctx, ":8082", http.HandlerFunc(tellCaller)) })
	return group.Wait()
}

func orders() http.Handler {
	var calls traffic
	mux := http.NewServeMux()
	mux.HandleFunc("/", call)
	mux.HandleFunc("/begin", calls.begin)
	mux.HandleFunc("/finish", calls.finish)
	return mux
}

// shop decides as an application does that trusts the mesh to say who calls.
func shop(customer string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", tellCaller)
	mux.HandleFunc("/books", func(w http.ResponseWriter, r *http.Request) {
		if callers := r.Header.Values(callerHeader); len(callers) != 1 || callers[0] != customer {
			w.WriteHeader(http.StatusForbidden)
		}
		tellCaller(w, r)
	})
	return mux
}

func tellCaller(w http.ResponseWriter, r *http.Request) {
	callers := r.Header.Values(callerHeader)
	if len(callers) == 0 {
		callers = []string{"none"}
	}
	fmt.Fprint(w, strings.Join(callers, " and "))
}

// direct calls as any program does that knows of no proxy.
var direct = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: timeout}

func call(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, r.FormValue("url"), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if claim := r.FormValue("claim"); claim != "" {
		request.Header.Set(callerHeader, claim)
	}
	response, err := direct.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body) // an answer that is cut off is not the one that the test wants
}

// work is a Job beside a sidecar that is a plain container: nothing has the
// application wait for it, and nothing but the application ends it.
func work(ctx context.Context, url, want string) error {
	for callFor(url, want) != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	response, err := direct.Post("http://127.0.0.1:15000/quit", "", nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
