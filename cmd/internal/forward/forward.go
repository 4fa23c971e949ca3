// Package forward leads to servers that listen on a pod's loopback, through the
// API server and the kubelet, as kubectl port-forward does. It does not know what
// they serve.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	// timeout bounds a question and its answer.
	timeout = 15 * time.Second
	// mostBytes bounds an answer.
	mostBytes = 64 << 20
)

// Port is one of a pod, and the one of this machine's loopback that leads to it.
type Port struct {
	Namespace, Pod string
	Remote         int
	// Local is a free one when 0.
	Local int
	// Log gets errors of single connections; nil discards them.
	Log io.Writer
}

// Run calls ready with the local port once it is open, and forwards what
// connects to it until ctx ends.
func Run(ctx context.Context, config *rest.Config, p Port, ready func(local int)) error {
	dialer, err := dialer(config, p.Namespace, p.Pod)
	if err != nil {
		return err
	}
	if p.Log == nil {
		p.Log = io.Discard
	}
	opened, ended := make(chan struct{}), make(chan error, 1)
	ports := []string{fmt.Sprintf("%d:%d", p.Local, p.Remote)}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, ports, opened, io.Discard, p.Log)
	if err != nil {
		return err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-opened:
	case err := <-ended:
		return p.explain(ctx, err)
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	ready(int(forwarded[0].Local))
	if err := <-ended; err != nil && ctx.Err() == nil {
		return p.explain(ctx, err)
	}
	return nil
}

func (p Port) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, portforward.ErrLostConnectionToPod):
		return fmt.Errorf("the connection to pod %s/%s is lost: run the command again", p.Namespace, p.Pod)
	case err == nil:
		err = context.Cause(ctx)
	}
	return fmt.Errorf("forward port %d of pod %s/%s: %w", p.Remote, p.Namespace, p.Pod, err)
}

// Get asks for a path of the server on a port of a pod.
func Get(ctx context.Context, config *rest.Config, namespace, pod string, port int, path string) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var asked error
	err = Run(ctx, config, Port{Namespace: namespace, Pod: pod, Remote: port}, func(local int) {
		body, asked = get(ctx, fmt.Sprintf("http://127.0.0.1:%d%s", local, path))
		cancel()
	})
	if err != nil {
		return nil, err
	}
	if asked != nil {
		return nil, fmt.Errorf("ask port %d of pod %s/%s: %w", port, namespace, pod, asked)
	}
	return body, nil
}

// dialer speaks as kubectl does: over WebSockets, or SPDY where there are none.
func dialer(config *rest.Config, namespace, pod string) (httpstream.Dialer, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	address := client.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	older, err := overSPDY(config, address)
	if err != nil {
		return nil, err
	}
	newer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(newer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

func overSPDY(config *rest.Config, address *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address), nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBytes))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answered %s", response.Status)
	}
	return body, err
}
