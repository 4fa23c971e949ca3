package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// listenNode listens where the API server forwards ports of the node's pods to.
func listenNode(a *authority) (net.Listener, error) {
	if err := a.issue(leaf{name: "node", usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, ips: []net.IP{net.ParseIP(hostIP)}}); err != nil {
		return nil, err
	}
	certificate, err := tls.LoadX509KeyPair(a.path("node.crt"), a.path("node.key"))
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	return tls.Listen("tcp", net.JoinHostPort(hostIP, "0"), &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
	})
}

// serve does of a kubelet's server what kubectl port-forward needs, until ctx ends.
func (n *fakeNode) serve(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		servePortForward(w, r, func(port string, data io.ReadWriteCloser) error {
			return n.forward(ctx, r.PathValue("namespace"), r.PathValue("pod"), port, data)
		})
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(n.listener); err != nil && ctx.Err() == nil {
		n.log.Error("serving the API server failed", "error", err)
	}
}

// forward leads to a port of a pod.
func (n *fakeNode) forward(ctx context.Context, namespace, name, port string, stream io.ReadWriteCloser) error {
	life := n.find(namespace, name)
	if life == nil {
		return fmt.Errorf("pod %s/%s is not on this node", namespace, name)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(loopback(life.address).String(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, stream) // the side that hangs up first ends both
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, conn)
	return err
}
