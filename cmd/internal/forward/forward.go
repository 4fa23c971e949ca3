// Package forward asks servers that listen on a pod's loopback, through the API
// server and the kubelet, as kubectl port-forward does. It does not know what
// they serve.
package forward

import (
	"context"
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

// Get asks for a path of the server on a port of a pod.
func Get(ctx context.Context, config *rest.Config, namespace, pod string, port int, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer, err := dialer(config, namespace, pod)
	if err != nil {
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	ports := []string{fmt.Sprintf("0:%d", port)}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, ports, ready, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return nil, fmt.Errorf("forward port %d of pod %s/%s: %w", port, namespace, pod, err)
	case <-ctx.Done():
		<-ended
		return nil, fmt.Errorf("forward port %d of pod %s/%s: %w", port, namespace, pod, context.Cause(ctx))
	}
	local, err := forwarder.GetPorts()
	if err != nil {
		return nil, err
	}
	body, err := get(ctx, fmt.Sprintf("http://127.0.0.1:%d%s", local[0].Local, path))
	cancel()
	<-ended
	if err != nil {
		return nil, fmt.Errorf("ask port %d of pod %s/%s: %w", port, namespace, pod, err)
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
