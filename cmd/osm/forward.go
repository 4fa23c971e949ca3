package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// forwarding is from a port of this machine's loopback to one of a pod.
type forwarding struct {
	Config *rest.Config
	Pod    *corev1.Pod
	Local  int // a free one when 0
	Remote int
	ErrOut io.Writer
}

// forward calls ready with the local port once it is open, and forwards what
// connects to it until ctx ends.
func forward(ctx context.Context, f forwarding, ready func(port int)) error {
	dialer, err := f.dialer()
	if err != nil {
		return err
	}
	opened := make(chan struct{})
	ports := []string{fmt.Sprintf("%d:%d", f.Local, f.Remote)}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, ports, opened, io.Discard, f.ErrOut)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-opened:
	case err := <-ended:
		return f.explain(err)
	}
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	ready(int(forwarded[0].Local))
	if err := <-ended; err != nil && ctx.Err() == nil {
		return f.explain(err)
	}
	return nil
}

func (f forwarding) explain(err error) error {
	if errors.Is(err, portforward.ErrLostConnectionToPod) {
		return fmt.Errorf("the connection to pod %s/%s is lost: run the command again", f.Pod.Namespace, f.Pod.Name)
	}
	return fmt.Errorf("forward a port to pod %s/%s: %w", f.Pod.Namespace, f.Pod.Name, err)
}

// dialer asks by WebSocket and, where a proxy or an older API server does not
// know that, by SPDY, as kubectl does.
func (f forwarding) dialer() (httpstream.Dialer, error) {
	target, err := f.target()
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(f.Config)
	if err != nil {
		return nil, err
	}
	bySPDY := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	byWebSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(target, f.Config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(byWebSocket, bySPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

func (f forwarding) target() (*url.URL, error) {
	client, err := kubernetes.NewForConfig(f.Config)
	if err != nil {
		return nil, err
	}
	return client.CoreV1().RESTClient().Post().Namespace(f.Pod.Namespace).Resource("pods").Name(f.Pod.Name).SubResource("portforward").URL(), nil
}
