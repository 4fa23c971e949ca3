package conformance

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/testkit"
)

// verifiesEachConnectionAnew has a peer offer to resume its session, of
// whose certificate Pipy would not hear again. It may be refused for that.
func verifiesEachConnectionAnew(t *testing.T, program string) {
	m := newMesh(t, program)
	ca := testkit.CA(t)
	m.trust("first", ca)
	p := m.start(nil)
	p.waitReady(pipyAddress)
	application(t, p.n, "[::]:8080")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{
			ServerName: "bookbuyer.bookbuyer.cluster.local", RootCAs: m.manager.Bundle().Pool(), MaxVersion: version,
			GetClientCertificate: present([]tls.Certificate{certificate(t, ca, "cluster.local")}),
			ClientSessionCache:   tls.NewLRUClientSessionCache(1),
		}
		for i := range 3 {
			raw, err := dial(m.otherPod, "10.0.0.1:8080")
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(raw, config)
			fmt.Fprint(conn, "GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			answer := heard(conn)
			isAnswered := strings.Contains(answer, "URI=spiffe://cluster.local/ns/bookstore/sa/bookstore-v2")
			if conn.ConnectionState().DidResume || !isAnswered && (answer != "" || i == 0) {
				t.Errorf("%s: resumed: %t, answered %q", tls.VersionName(version), conn.ConnectionState().DidResume, answer)
			}
			raw.Close()
		}
	}
}
