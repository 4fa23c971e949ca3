package certmanager_test

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/testkit"
)

func TestWithoutTheOperatorsRootNothingIsAskedFor(t *testing.T) {
	m := newMesh(t)
	tests := map[string]struct {
		data map[string][]byte
		says string
	}{
		"the secret is missing": {nil, "the secret does not exist"},
		"ca.crt is missing":     {map[string][]byte{"tls.crt": []byte("x")}, "it is missing or empty"},
		"ca.crt is empty":       {map[string][]byte{rootsecret.CertificateKey: {}}, "it is missing or empty"},
		"ca.crt is malformed":   {map[string][]byte{rootsecret.CertificateKey: []byte("a DER name")}, "not PEM"},
	}
	i := m.newIssuer(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m.setBundle(t, test.data)
			_, rootsErr := i.Roots(t.Context())
			_, issueErr := i.Issue(t.Context(), newRequest(t), time.Hour)
			for _, err := range []error{rootsErr, issueErr} {
				if err == nil {
					t.Fatal("there is no error")
				}
				for _, says := range []string{test.says, "kubectl create secret generic osm-ca-bundle -n " + m.namespace + " --from-file=ca.crt"} {
					if !strings.Contains(err.Error(), says) {
						t.Errorf("error %q lacks %q", err, says)
					}
				}
			}
			m.expectNothingLeft(t)
		})
	}
}

func TestAChainOfAnotherRootIsRefused(t *testing.T) {
	m := newMesh(t)
	other, _, err := tresor.NewRoot()
	must(t, err)
	m.setBundle(t, map[string][]byte{rootsecret.CertificateKey: pemOf("CERTIFICATE", other.Raw)})
	i := m.newIssuer(t, nil)
	_, err = i.Issue(t.Context(), newRequest(t), time.Hour)
	expectReason(t, err, certmanager.NotTrusted, m.root.Subject.SerialNumber, other.Subject.SerialNumber)
	m.expectNothingLeft(t)
	m.setBundle(t, map[string][]byte{rootsecret.CertificateKey: append(pemOf("CERTIFICATE", other.Raw), pemOf("CERTIFICATE", m.root.Raw)...)})
	_, err = i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
}

func TestAnIntermediateIsReturnedAndTheRootIsNot(t *testing.T) {
	m := newMesh(t)
	intermediate, key := m.newIntermediate(t)
	m.createCA(t, "intermediate", []*x509.Certificate{intermediate, m.root}, key)
	i := m.newIssuer(t, func(o *certmanager.Options) { o.Issuer.Name = "intermediate" })
	chain, err := i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
	if len(chain) != 2 || !chain[1].Equal(intermediate) {
		t.Errorf("a chain of %d certificates", len(chain))
	}
}

func TestACertificateDoesNotOutliveTheRoot(t *testing.T) {
	m := newMesh(t)
	i := m.newIssuer(t, nil)
	chain, err := i.Issue(t.Context(), newRequest(t), 2*tresor.RootValidity)
	must(t, err)
	if end := chain[0].NotAfter; end.After(m.root.NotAfter) {
		t.Errorf("it ends at %s, the root at %s", end, m.root.NotAfter)
	}
}

func TestLeftoversOfThisReplicaAreSweptAndOthersAreNot(t *testing.T) {
	m := newMesh(t)
	m.leave(t, "osm-controller-1", "osm-left")
	m.leave(t, "osm-controller-2", "osm-in-flight")
	m.newIssuer(t, nil)
	testkit.Condition(t, "the sweep", func(ctx context.Context) (bool, error) { return len(m.names(t, ctx)) == 1, nil })
	if names := m.names(t, t.Context()); names[0] != "osm-in-flight" {
		t.Errorf("left is %q", names)
	}
}
