package sidecar

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// secretType is the type URL of SDS resources.
const secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

// with returns the state with the resources in it, or says what is wrong with
// one of them. Secrets that were not asked for are ignored, as xDS has it.
func (s State) with(b injector.Bootstrap, resources []*anypb.Any) (State, error) {
	for _, resource := range resources {
		secret := &tlsv3.Secret{}
		if err := resource.UnmarshalTo(secret); err != nil {
			return State{}, fmt.Errorf("a resource is not a secret: %w", err)
		}
		var err error
		switch secret.GetName() {
		case b.SDS.Certificate:
			s.certificate, err = certificate(b.Identity, secret.GetTlsCertificate())
		case b.SDS.Validation:
			s.bundle, err = trustbundle.Parse(secret.GetValidationContext().GetTrustedCa().GetInlineBytes())
		}
		if err != nil {
			return State{}, fmt.Errorf("secret %s: %w", secret.GetName(), err)
		}
	}
	return s, nil
}

// certificate refuses a certificate that is not the identity's, not valid any
// more, or not that of the key.
func certificate(identity string, secret *tlsv3.TlsCertificate) (*tls.Certificate, error) {
	pair, err := trustbundle.ParseKeyPair(secret.GetCertificateChain().GetInlineBytes(), secret.GetPrivateKey().GetInlineBytes())
	if err != nil {
		return nil, err
	}
	id, err := identityOf(pair.Leaf)
	switch {
	case err != nil:
		return nil, err
	case id.String() != identity:
		return nil, fmt.Errorf("a certificate for %s, not for %s", id, identity)
	case !time.Now().Before(pair.Leaf.NotAfter):
		return nil, fmt.Errorf("the certificate expired at %s", pair.Leaf.NotAfter)
	}
	return pair, nil
}

// identityOf returns the SPIFFE ID of a workload's certificate. It refuses one
// that could sign others (X.509-SVID, sections 4.1 and 4.3).
func identityOf(leaf *x509.Certificate) (spiffeid.ID, error) {
	if leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return spiffeid.ID{}, errors.New("a CA certificate is not a workload's")
	}
	return x509svid.IDFromCert(leaf)
}
