package vault

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/vault/api"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// maxChain bounds how many CA certificates an answer may hold.
const maxChain = 16

// shown is a certificate and the CAs that came with it.
type shown struct {
	leaf        *x509.Certificate
	authorities []*x509.Certificate
}

// verify returns the chain of what was signed, without its root, if it leads to
// one that is trusted.
func (ca *CA) verify(ctx context.Context, signed *shown) ([]*x509.Certificate, error) {
	trust, err := ca.trusted(ctx)
	if err != nil {
		return nil, err
	}
	chain, err := chainOf(signed, trust)
	if err != nil {
		ca.lookForRoots(ctx) // one of an unknown root is how the change of a root is noticed first
		return nil, ca.distrust(err)
	}
	return chain, nil
}

func chainOf(signed *shown, trust *trust) ([]*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, authority := range signed.authorities {
		if !bytes.Equal(authority.RawSubject, authority.RawIssuer) { // a root would only have the leaf verified once more
			intermediates.AddCert(authority)
		}
	}
	chains, err := signed.leaf.Verify(x509.VerifyOptions{
		Roots:         trust.pool,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, err
	}
	return chains[0][:len(chains[0])-1], nil
}

// distrust says why a chain is refused.
func (ca *CA) distrust(err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("vault at %s signed a certificate that is not valid now: compare the clocks, or set not_before_duration=5m on the role %s: %w",
			ca.server.address, ca.server.rolePath(), err)
	}
	if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
		return fmt.Errorf("vault at %s signed a certificate that no proxy accepts: the name constraints of a CA above it forbid its names: have the role %s sign with an issuer without them, or make that CA again with the trust domain permitted: %w",
			ca.server.address, ca.server.rolePath(), err)
	}
	if ca.options.Given != nil {
		return fmt.Errorf("vault at %s signed with a root that is none of those given for it: if it is right, give it beside them: %w", ca.server.address, err)
	}
	return fmt.Errorf("vault at %s signed with a root that the mesh does not trust yet: %w", ca.server.address, err)
}

// parse returns the certificate of an answer, and the CAs that came with it.
func (r *remembered) parse(answer *api.Secret) (leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	if answer == nil {
		return nil, nil, errors.New("the answer is empty")
	}
	certificates, err := parseField(answer, "certificate")
	if err != nil {
		return nil, nil, err
	}
	texts, err := authorityTexts(answer)
	if err != nil {
		return nil, nil, err
	}
	for _, text := range texts {
		more, err := r.certificates(text)
		if err != nil {
			return nil, nil, fmt.Errorf("its chain: %w", err)
		}
		chain = append(chain, more...)
	}
	if len(chain) > maxChain {
		return nil, nil, fmt.Errorf("its chain has %d certificates, more than %d", len(chain), maxChain)
	}
	return certificates[0], chain, nil
}

func parseField(answer *api.Secret, name string) ([]*x509.Certificate, error) {
	text, ok := answer.Data[name].(string)
	if !ok {
		return nil, fmt.Errorf("the answer has no %s", name)
	}
	certificates, err := trustbundle.ParseCertificates([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("its %s: %w", name, err)
	}
	return certificates, nil
}

// authorityTexts are the PEM texts of the CAs, each once. The chain may be
// absent, and the issuing CA is of it.
func authorityTexts(answer *api.Secret) (texts []string, err error) {
	if issuing, ok := answer.Data["issuing_ca"].(string); ok {
		texts = append(texts, issuing)
	}
	chain, ok := answer.Data["ca_chain"].([]any)
	if !ok && answer.Data["ca_chain"] != nil {
		return nil, errors.New("its ca_chain is not a list")
	}
	for _, element := range chain {
		text, ok := element.(string)
		if !ok {
			return nil, errors.New("its ca_chain is not a list of texts")
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts, nil
}
