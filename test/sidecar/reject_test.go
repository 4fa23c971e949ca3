package sidecar_test

import (
	"crypto/tls"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/test/sidecar"
)

// looping is an SDS server with the fault that sidecars must survive: it answers
// a NACK at once with what was rejected.
type looping struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer
	nacks chan *discoveryv3.DiscoveryRequest
}

func (l *looping) StreamSecrets(stream secretv3.SecretDiscoveryService_StreamSecretsServer) error {
	resource, err := anypb.New(&tlsv3.Secret{Name: "service-cert:bookstore/bookstore-v2"})
	if err != nil {
		return err
	}
	for nonce := "1"; ; nonce += "1" {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if r.GetResponseNonce() != "" {
			l.nacks <- r
		}
		err = stream.Send(&discoveryv3.DiscoveryResponse{VersionInfo: "bad", Nonce: nonce, Resources: []*anypb.Any{resource}})
		if err != nil {
			return err
		}
	}
}

func TestASidecarRejectsWithoutALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t)
		c.stop()
		synctest.Wait()
		listener, err := c.listen(sdsAddress)
		if err != nil {
			t.Fatal(err)
		}
		l := &looping{nacks: make(chan *discoveryv3.DiscoveryRequest, 100)}
		server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{GetCertificate: c.serving})))
		secretv3.RegisterSecretDiscoveryServiceServer(server, l)
		c.group.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		})
		t.Cleanup(server.Stop)

		s := c.run(c.options("pod", "bookstore", "bookstore-v2"))
		time.Sleep(58 * time.Second)
		if n := len(l.nacks); n < 8 || n > 12 {
			t.Errorf("%d NACKs in a minute, want one every 5 s", n)
		}
		nack := <-l.nacks
		if nack.GetErrorDetail().GetMessage() == "" || nack.GetVersionInfo() != "" || nack.GetResponseNonce() != "1" {
			t.Errorf("a NACK of %v", nack)
		}
		if s.State().Ready() || s.State().Version() != "" {
			t.Error("took what it rejected")
		}
	})
}

func TestASidecarDoesNotPresentItsTokenToAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, other := newControl(t), newControl(t)
		o := c.options("pod", "bookstore", "bookstore-v2")
		o.Dial = other.dial
		if err := sidecar.Fetch(t.Context(), o, "default"); err == nil {
			t.Fatal("fetched from another control plane")
		}
		if n := other.attested.Load(); n != 0 {
			t.Fatalf("presented its token %d times", n)
		}
	})
}
