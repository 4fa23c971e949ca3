package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	testvault "github.com/osm-edge/osm/test/vault"
)

// BenchmarkIssue issues through the Manager and from Vault driven bare, one
// after the other, so that whatever else the machine does slows down both. The
// ratio of their speeds is to be at least 0.9.
func BenchmarkIssue(b *testing.B) {
	server := startServer(b)
	manager := issuer.NewManager(issuer.Options{})
	issuertest.Trust(b, manager, "vault", newCA(b, server, asIs))
	client, err := server.Client(server.Token)
	must(b, err)
	first, err := identity.New("cluster.local", "bookstore", "first")
	must(b, err)
	signBare(b, client, first) // logs in and connects, which is not measured on either side
	_, err = manager.IssueCertificate(b.Context(), first)
	must(b, err)
	var bare, managed []time.Duration
	for i := 0; b.Loop(); i++ {
		id, err := identity.New("cluster.local", "bookstore", fmt.Sprint("bookstore-", i))
		must(b, err)
		bare = append(bare, timed(func() { signBare(b, client, id) }))
		managed = append(managed, timed(func() {
			_, err := manager.IssueCertificate(b.Context(), id)
			must(b, err)
		}))
	}
	b.ReportMetric(float64(total(bare))/float64(total(managed)), "ratio")
	b.ReportMetric(float64(len(managed))/total(managed).Seconds(), "certificates/s")
	b.ReportMetric(percentile(managed, 50), "p50-ms")
	b.ReportMetric(percentile(managed, 99), "p99-ms")
}

// signBare makes a key, has Vault sign for it, and checks and keeps nothing.
func signBare(b *testing.B, client *api.Client, id identity.Identity) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: id.CommonName()},
		DNSNames: []string{id.CommonName()},
		URIs:     []*url.URL{id.SPIFFEID().URL()},
	}, key)
	must(b, err)
	_, err = client.Logical().WriteWithContext(b.Context(), "pki/sign/"+testvault.Role, map[string]any{
		"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})), "ttl": "86400s",
	})
	must(b, err)
}

func timed(f func()) time.Duration {
	started := time.Now()
	f()
	return time.Since(started)
}

func total(all []time.Duration) (sum time.Duration) {
	for _, d := range all {
		sum += d
	}
	return sum
}

// percentile returns the p-th in milliseconds.
func percentile(all []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*p/100].Seconds() * 1000
}
