package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const callerHeader = "x-forwarded-client-cert"

// serveAll serves three ports:
//
//	8080  tells whoever asks who they are said to be
//	8081  GET /?url=URL&claim=WHO calls URL, claiming to be WHO, and tells the answer
//	8082  is as 8080
func serveAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, ":8080", http.HandlerFunc(tellCaller)) })
	group.Go(func() error { return serve(ctx, ":8081", http.HandlerFunc(call)) })
	group.Go(func() error { return serve(ctx, ":8082", http.HandlerFunc(tellCaller)) })
	return group.Wait()
}

func tellCaller(w http.ResponseWriter, r *http.Request) {
	callers := r.Header.Values(callerHeader)
	if len(callers) == 0 {
		callers = []string{"nobody"}
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

// getOnce calls as the first thing that the process does.
func getOnce(url, want string) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if string(body) != want {
		return fmt.Errorf("%s answers %s %q, not %q", url, response.Status, body, want)
	}
	return nil
}

// work is a Job beside a sidecar that is a plain container: nothing has the
// application wait for it, and nothing but the application ends it.
func work(ctx context.Context, url, want string) error {
	for getOnce(url, want) != nil {
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
