package certmanager

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/osm-edge/osm/issuer"
)

// holderLabel says which replica made a request and waits for it.
const holderLabel = "openservicemesh.io/certificate-holder"

// newRequest makes the CertificateRequest of a request. Its name is chosen
// here, not by the API server, so that it can be deleted though the answer to
// its creation was lost.
func (i *Issuer) newRequest(req *issuer.Request, duration time.Duration) (*cmapi.CertificateRequest, error) {
	csr, err := req.CSR()
	if err != nil {
		return nil, err
	}
	usages, err := usages(req)
	if err != nil {
		return nil, err
	}
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Name:   "osm-" + strings.ToLower(rand.Text()),
			Labels: i.ownLabels(),
		},
		Spec: cmapi.CertificateRequestSpec{
			Request:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
			Duration:  &metav1.Duration{Duration: duration},
			Usages:    usages,
			IssuerRef: cmmeta.IssuerReference(i.reference),
		},
	}, nil
}

// meshLabels are those of every request of the mesh.
func (i *Issuer) meshLabels() labels.Set {
	return labels.Set{
		"app.kubernetes.io/name":     "openservicemesh.io",
		"app.kubernetes.io/instance": i.options.Mesh,
	}
}

func (i *Issuer) ownLabels() labels.Set {
	return labels.Merge(i.meshLabels(), labels.Set{holderLabel: i.options.Holder})
}

// usages returns cert-manager's words for the usages of a request. Only RSA
// keys can encipher keys.
func usages(req *issuer.Request) ([]cmapi.KeyUsage, error) {
	words := []cmapi.KeyUsage{cmapi.UsageDigitalSignature}
	if _, ok := req.PublicKey().(*rsa.PublicKey); ok {
		words = append(words, cmapi.UsageKeyEncipherment)
	}
	for _, usage := range req.Usages() {
		switch usage {
		case x509.ExtKeyUsageServerAuth:
			words = append(words, cmapi.UsageServerAuth)
		case x509.ExtKeyUsageClientAuth:
			words = append(words, cmapi.UsageClientAuth)
		default:
			return nil, fmt.Errorf("an extended key usage %d, for which cert-manager is not asked", usage)
		}
	}
	return words, nil
}
