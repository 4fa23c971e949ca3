package vault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer/vault/names"
)

// trialTTL is how long a certificate lives that shows the role's issuer.
const trialTTL = time.Minute

// readIssuer returns the certificate that the role signs with, and the CAs that
// Vault says it chains to. A token that may not read the role signs to find out:
// what it is shown then is no more than every certificate of the role shows.
func (ca *CA) readIssuer(ctx context.Context) (*shown, error) {
	current, err := ca.session.login(ctx)
	if err != nil {
		return nil, err
	}
	if ca.unreadable.Load() == current {
		return ca.showIssuer(ctx)
	}
	role, err := ca.readRole(ctx, current.client)
	switch {
	case status(err) == http.StatusForbidden:
		ca.unreadable.Store(current)
		return ca.showIssuer(ctx)
	case status(err) == http.StatusNotFound && reason(err) == "":
		return nil, fmt.Errorf("vault at %s has no role %s: write it, or set the role to one that there is", ca.server.address, ca.server.rolePath())
	case err != nil:
		return nil, ca.server.explain(ctx, err)
	}
	reference, _ := role.Data["issuer_ref"].(string) // Vault before 1.11 has one issuer and no references
	if reference == "" {
		return ca.readOnlyIssuer(ctx)
	}
	if names.CheckRole(reference) != nil {
		return nil, fmt.Errorf("vault at %s, role %s: its issuer_ref is not the name of an issuer", ca.server.address, ca.server.rolePath())
	}
	return ca.readNamedIssuer(ctx, "issuer/"+reference+"/json")
}

// readRole tells a role that is not there from a mount that is not, which the
// library does not in what it has parsed.
func (ca *CA) readRole(ctx context.Context, client *api.Client) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, ca.options.Timeout) // the library has none for what it does not parse
	defer cancel()
	response, err := client.Logical().ReadRawWithContext(ctx, ca.server.rolePath())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return client.Logical().ParseRawResponseAndCloseBody(response, err)
}

// readNamedIssuer reads an issuer and its chain.
func (ca *CA) readNamedIssuer(ctx context.Context, path string) (*shown, error) {
	answer, err := ca.readPublic(ctx, path)
	if err != nil {
		return nil, err
	}
	certificate, authorities, err := ca.remembered.parse(answer)
	if err != nil {
		return nil, fmt.Errorf("vault at %s, %s/%s: %w", ca.server.address, ca.server.mount, path, err)
	}
	return &shown{certificate, authorities}, nil
}

// readOnlyIssuer is for Vault before 1.11, whose chain is empty if the issuer is
// a root.
func (ca *CA) readOnlyIssuer(ctx context.Context) (*shown, error) {
	only, err := ca.readCertificates(ctx, "cert/ca")
	if err != nil {
		return nil, err
	}
	chain, err := ca.readCertificates(ctx, "cert/ca_chain")
	if err != nil {
		chain = nil
	}
	return &shown{only[0], chain}, nil
}

// showIssuer takes what was signed last, and otherwise has something signed.
func (ca *CA) showIssuer(ctx context.Context) (*shown, error) {
	if signed := ca.shown.Load(); signed != nil {
		return signed, nil
	}
	if ca.options.Trial == nil {
		return nil, fmt.Errorf("vault at %s: %w: no policy grants the token read on %s", ca.server.address, ErrDenied, ca.server.rolePath())
	}
	request, err := ca.options.Trial()
	if err != nil {
		return nil, err
	}
	csr, err := request.CSR()
	if err != nil {
		return nil, err
	}
	answer, err := ca.sign(ctx, csr, trialTTL)
	if err != nil {
		return nil, err
	}
	ca.signed.note(ctx, trialTTL, nil)
	return ca.parse(answer)
}

// readPublic reads what Vault publishes.
func (ca *CA) readPublic(ctx context.Context, path string) (*api.Secret, error) {
	answer, err := ca.anonymous.Logical().ReadWithContext(ctx, ca.server.mount+"/"+path)
	if err != nil {
		return nil, ca.server.explain(ctx, err)
	}
	if answer == nil {
		return nil, fmt.Errorf("vault at %s has nothing at %s/%s", ca.server.address, ca.server.mount, path)
	}
	return answer, nil
}
