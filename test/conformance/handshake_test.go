package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/osm-edge/osm/test/testkit"
)

// failsNoHandshakeWhileItTakesSecrets has secrets come again and again
// while peers, and Pipy itself, are in the midst of handshakes.
func failsNoHandshakeWhileItTakesSecrets(t *testing.T, program string) {
	m := newMesh(t, program)
	ca := testkit.CA(t)
	m.trust("first", ca)
	p := m.start(nil)
	p.waitReady(pipyAddress)
	accept(t, p.n, "0.0.0.0:9001", greet)
	peer := tls.Config{
		ServerName: "bookbuyer.bookbuyer.cluster.local", RootCAs: m.manager.Bundle().Pool(),
		Certificates: []tls.Certificate{certificate(t, ca, "cluster.local")},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: m.manager.Bundle().Pool(),
	}
	acceptFrom(t, tls.NewListener(listen(t, m.otherPod, "10.0.0.2:9001"), &peer), greet)

	for name, connect := range map[string]func() (net.Conn, error){
		"in": func() (net.Conn, error) {
			raw, err := dial(m.otherPod, "10.0.0.1:9001")
			if err != nil {
				return nil, err
			}
			return tls.Client(raw, &peer), nil
		},
		"out": func() (net.Conn, error) { return dial(m.pipyPod, "10.0.0.2:9001") },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var group errgroup.Group
			for range 8 {
				group.Go(func() error {
					for ctx.Err() == nil {
						if err := hearGreeting(connect); err != nil {
							return err
						}
					}
					return nil
				})
			}
			for range 50 {
				before := p.report().Serial
				if _, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookbuyer", "bookbuyer")); err != nil {
					t.Fatal(err)
				}
				testkit.Eventually(t, "a new leaf", func() bool { return p.report().Serial != before })
			}
			cancel()
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// hearGreeting connects, says something and hears both.
func hearGreeting(connect func() (net.Conn, error)) error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		return err
	}
	const line = "a line\n"
	if _, err := fmt.Fprint(conn, line); err != nil {
		return err
	}
	heard := make([]byte, len("220 hello\r\n"+line))
	if n, err := io.ReadFull(conn, heard); err != nil {
		return fmt.Errorf("heard %q: %w", heard[:n], err)
	}
	return nil
}
