package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

func noon() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

func TestWhatIsFoundIsShownWithItsFix(t *testing.T) {
	report := check.Report{Mesh: "osm", Namespace: "osm-system", Time: noon(), Errors: 1, Warnings: 1, Checks: []check.Check{
		{Name: "control-plane", Summary: "3 replicas available, version 0.1.0"},
		{Name: "root", Summary: "CN=osm-ca.openservicemesh.io signs", Findings: []check.Finding{
			{Severity: check.Error, Object: "Secret osm-system/osm-ca-bundle", Problem: `key "private.key": it is missing or empty`, Fix: "kubectl edit secret -n osm-system osm-ca-bundle"},
		}},
		{Name: "pods", Summary: "7 pods with a sidecar", Findings: []check.Finding{
			{Severity: check.Warning, Object: "Namespace books", Problem: "1 pod without a sidecar: bookbuyer-1", Fix: "kubectl rollout restart -n books deployment/bookbuyer"},
		}},
	}}
	for name, live := range map[string]bool{"check.txt": false, "check-terminal.txt": true} {
		var text strings.Builder
		if err := printReport(&terminal{Writer: &text, live: live, colours: live}, report); err != nil {
			t.Fatal(err)
		}
		sameAs(t, name, text.String())
	}
}

func TestCertificatesAreListedByServiceAccount(t *testing.T) {
	certificate := func(namespace, account, serial string, left time.Duration, proxies int) status.Certificate {
		return status.Certificate{Namespace: namespace, ServiceAccount: account, Serial: serial, NotAfter: noon().Add(left), Proxies: proxies, Authority: "osm-mesh-root-certificate"}
	}
	reports := []status.Report{
		{Replica: "osm-controller-1", CertificateTotal: 5, Certificates: []status.Certificate{
			certificate("shop", "web", "2b", 26*time.Hour+5*time.Minute, 3), certificate("books", "bookbuyer", "1a", 90*time.Second, 1),
		}},
		{Replica: "osm-controller-2", CertificateTotal: 2, Certificates: []status.Certificate{
			certificate("shop", "web", "3c", 20*time.Hour, 2), certificate("books", "gone", "4d", -time.Hour, 0),
		}},
	}
	for name, namespace := range map[string]string{"certificates.txt": "", "certificates-shop.txt": "shop"} {
		var text, notes strings.Builder
		if err := printCertificates(newTerminal(&text), newTerminal(&notes), reports, namespace, noon()); err != nil {
			t.Fatal(err)
		}
		sameAs(t, name, text.String()+notes.String())
	}
}

func TestWhatASidecarHoldsIsShown(t *testing.T) {
	root := newRoot(t)
	fingerprint := trustbundle.Fingerprint(root)
	state, err := rotation.Parse(map[string]string{rotation.BundleKey: string(trustbundle.New(root).PEM())})
	if err != nil {
		t.Fatal(err)
	}
	good := held{
		ID: "spiffe://cluster.local/ns/books/sa/bookbuyer", Serial: "1a2b", NotBefore: noon().Add(-time.Hour), NotAfter: noon().Add(23 * time.Hour),
		Issuer: "CN=osm-ca.openservicemesh.io", Roots: []string{fingerprint, strings.Repeat("0", 64)}, Connected: true,
	}
	expired := good
	expired.NotAfter, expired.Connected, expired.LastError = noon().Add(-time.Minute), false, "connection refused"
	for name, h := range map[string]held{"held.txt": good, "held-expired.txt": expired, "held-none.txt": {ID: good.ID}} {
		text := describeHeld(newTerminal(&strings.Builder{}), "books/bookbuyer-1", h, state, noon())
		sameAs(t, name, strings.ReplaceAll(text, fingerprint, "FINGERPRINT"))
	}
}

// TestWhoMayNotReadTheRootsIsToldNothingOfThem: a namespace's administrator may
// ask its sidecars, and not read the mesh namespace.
func TestWhoMayNotReadTheRootsIsToldNothingOfThem(t *testing.T) {
	fingerprint := strings.Repeat("0", 64)
	text := describeHeld(newTerminal(&strings.Builder{}), "books/bookbuyer-1", held{Roots: []string{fingerprint}}, rotation.State{}, noon())
	if !strings.Contains(text, "sha256:"+fingerprint+"\n") {
		t.Errorf("shown is\n%s", text)
	}
}

func TestAMissingRightIsToldWithWhatToDo(t *testing.T) {
	right := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(`User "jane" cannot list resource "pods" in API group "" in the namespace "osm-system"`))
	if got := advice(fmt.Errorf("find osm-controller: %w", right)); !strings.Contains(got, "ask an administrator") {
		t.Errorf("the advice is %q", got)
	}
	for _, err := range []error{
		errors.New("no file"),
		apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "app", errors.New("exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1")),
	} {
		if got := advice(err); got != "" {
			t.Errorf("%v: the advice is %q", err, got)
		}
	}
}

// sameAs compares with a file of testdata/look.
func sameAs(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "look", strings.TrimSuffix(name, ".txt")+".golden.txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// newRoot returns one that is valid for ten years.
func newRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	return testkit.Root(t, noon().Add(-time.Hour), noon().AddDate(10, 0, 0))
}
