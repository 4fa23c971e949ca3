package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/api"
)

// maxIssuers bounds how many issuers of a mount are read.
const maxIssuers = 64

// readAuthorities returns the certificates of all issuers of the mount, which
// Vault publishes, and which anyone may have added who may import some.
// One that is gone, or malformed, is left out.
func (ca *CA) readAuthorities(ctx context.Context) ([]*x509.Certificate, error) {
	list, err := ca.anonymous.Logical().ListWithContext(ctx, ca.server.mount+"/issuers")
	if err != nil && !unknownPath(err) {
		return nil, ca.server.explain(ctx, err)
	}
	if err != nil || list == nil {
		return ca.readOnlyAuthority(ctx)
	}
	keys, _ := list.Data["keys"].([]any) // none is no issuer
	if len(keys) > maxIssuers {
		return nil, fmt.Errorf("vault at %s has %d issuers in %s, more than %d", ca.server.address, len(keys), ca.server.mount, maxIssuers)
	}
	var all []*x509.Certificate
	for _, key := range keys {
		certificates, err := ca.readCertificates(ctx, fmt.Sprintf("issuer/%s/json", key))
		switch {
		case errors.Is(err, ErrUnreachable) || ctx.Err() != nil:
			return nil, err
		case err == nil:
			all = append(all, certificates...)
		}
	}
	return all, nil
}

// readOnlyAuthority is for Vault before 1.11, where a mount has one issuer. The
// chain is empty if that is a root.
func (ca *CA) readOnlyAuthority(ctx context.Context) ([]*x509.Certificate, error) {
	if chain, err := ca.readCertificates(ctx, "cert/ca_chain"); err == nil {
		return chain, nil
	}
	return ca.readCertificates(ctx, "cert/ca")
}

func (ca *CA) readCertificates(ctx context.Context, path string) ([]*x509.Certificate, error) {
	answer, err := ca.readPublic(ctx, path)
	if err != nil {
		return nil, err
	}
	certificates, err := parseField(answer, "certificate")
	if err != nil {
		return nil, fmt.Errorf("vault at %s, %s/%s: %w", ca.server.address, ca.server.mount, path, err)
	}
	return certificates, nil
}

// unknownPath reports whether this Vault does not know such a path, or wants a
// token for it, as for each that it does not know.
func unknownPath(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) &&
		(answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusMethodNotAllowed)
}
