package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/testkit"
)

// BenchmarkIssueCertificate is to cost at most 1.11 times the cpu-ns/op of
// BenchmarkBareP256: what the Manager adds to the cryptography.
func BenchmarkIssueCertificate(b *testing.B) {
	manager := issuer.NewManager(issuer.Options{})
	setTrust(b, manager, signs("bench", testkit.CA(b)))
	identities := make([]identity.Identity, b.N)
	for i := range identities {
		identities[i] = identityOf(b, fmt.Sprint("bookstore-", i))
	}
	measureCPU(b)
	for _, id := range identities {
		if _, err := manager.IssueCertificate(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareP256 makes a key, a certificate and PEM of both, checks nothing
// and keeps nothing.
func BenchmarkBareP256(b *testing.B) {
	root, rootKey, err := tresor.NewRoot()
	if err != nil {
		b.Fatal(err)
	}
	uri, err := url.Parse("spiffe://cluster.local/ns/bookstore/sa/bookstore-1")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	one := big.NewInt(1)
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).Lsh(one, 127), // as long as a random one
		Subject:               pkix.Name{CommonName: "bookstore-1.bookstore.cluster.local"},
		DNSNames:              []string{"bookstore-1.bookstore.cluster.local"},
		URIs:                  []*url.URL{uri},
		NotBefore:             now,
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	measureCPU(b)
	for range b.N {
		template.SerialNumber.Add(template.SerialNumber, one)
		bareP256(b, template, root, rootKey)
	}
}

func bareP256(b *testing.B, template, root *x509.Certificate, rootKey crypto.Signer) (chainPEM, keyPEM []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, key.Public(), rootKey)
	if err != nil {
		b.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// measureCPU starts the benchmark's clock and reports the process's CPU time
// next to it, which neighbours on the machine disturb less.
func measureCPU(b *testing.B) {
	b.Helper()
	b.ReportAllocs()
	runtime.GC() // of what the benchmark prepared
	started := cpuTime(b)
	b.Cleanup(func() { b.ReportMetric(float64(cpuTime(b)-started)/float64(b.N), "cpu-ns/op") })
	b.ResetTimer()
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
