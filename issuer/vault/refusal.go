package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
)

// maxReason bounds how much of what Vault says is repeated.
const maxReason = 500

// ErrUnreachable is what errors are while Vault does not answer, or is sealed.
var ErrUnreachable = errors.New("cannot be reached")

// away is an error that is ErrUnreachable.
type away struct{ error }

func (away) Is(target error) bool { return target == ErrUnreachable }

func (a away) Unwrap() error { return a.error }

// server is the Vault that an error is about.
type server struct{ address, mount, role string }

func (v server) signPath() string { return v.mount + "/sign/" + v.role }
func (v server) rolePath() string { return v.mount + "/roles/" + v.role }

// explain turns an error of the library into one that says what is wrong and
// what to do. It never repeats what was asked: a token may be of it.
func (v server) explain(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrDenied):
		return err
	case ctx.Err() != nil:
		return away{fmt.Errorf("ask vault at %s: %w", v.address, ctx.Err())}
	case status(err) == http.StatusForbidden:
		return fmt.Errorf("vault at %s: %w: the token is unknown, expired, revoked or used up, is one to unwrap first or bound to other addresses (token_bound_cidrs), or no policy grants it update on %s", v.address, ErrDenied, v.signPath())
	case status(err) == http.StatusBadRequest && ofTheRequest(reason(err)):
		return fmt.Errorf("%w: vault at %s %s", issuer.ErrRefused, v.address, v.answered(status(err), reason(err)))
	case status(err)/100 == 5 && v.fix(reason(err)) == "":
		return away{fmt.Errorf("vault at %s %s", v.address, v.answered(status(err), reason(err)))}
	case status(err) != 0:
		return fmt.Errorf("vault at %s %s", v.address, v.answered(status(err), reason(err)))
	}
	var request *url.Error
	if errors.As(err, &request) {
		return v.unreachable(request.Err)
	}
	return fmt.Errorf("vault at %s: %w", v.address, err)
}

func (v server) answered(status int, reason string) string {
	switch {
	case status == http.StatusServiceUnavailable && strings.Contains(reason, "sealed"):
		return "is sealed: unseal it with vault operator unseal"
	case status == http.StatusNotFound || strings.Contains(reason, "no handler for route"):
		return fmt.Sprintf("has no PKI at %s: enable it there, or set the mount to where it is", v.mount)
	case status == http.StatusBadRequest && strings.Contains(reason, "HTTP request to an HTTPS server"):
		return "speaks HTTPS: set the protocol to https"
	}
	if fix := v.fix(reason); fix != "" {
		return fmt.Sprintf("refused the request: %s: %s", reason, fix)
	}
	return fmt.Sprintf("answered with status %d: %s", status, reason)
}

// fix says what an operator does about a refusal, by what Vault says of it.
func (v server) fix(reason string) string {
	onRole := func(settings string) string { return "set " + settings + " on the role " + v.rolePath() }
	for _, known := range []struct{ reason, fix string }{
		{"unknown role", fmt.Sprintf("write the role %s, or set the role to one that there is", v.rolePath())},
		{"URI Subject Alternative Name", onRole("allowed_uri_sans=spiffe://*")},
		{"common_name field is required", onRole("require_cn=false") + ": names of more than 64 characters have no room in a subject"},
		{"requires keys of type", onRole("key_type=any") + ", or choose the key algorithm that it wants"},
		{"requires a minimum of", "choose a larger key, or " + onRole("a smaller key_bits")},
		{"not allowed by this role", onRole("allow_any_name=true and enforce_hostnames=false, or allowed_domains with the trust domain and allow_subdomains=true,")},
		{"beyond the expiration of the CA", "renew the CA; until then, ask for a shorter lifetime (serviceCertValidityDuration), or have Vault grant one by leaf_not_after_behavior=truncate on the issuer of the role"},
		{"but only had usage", "the issuer was revoked, or may not issue: give it the usage issuing-certificates, or " + onRole("issuer_ref to another issuer")},
		{"Either ttl or not_after should be provided", fmt.Sprintf("the role has an end for all certificates: vault patch %s not_after=", v.rolePath())},
		{"no default issuer currently configured", fmt.Sprintf("the role signs with the default issuer of the mount: make one, for example with %[1]s/root/generate/internal, name one that there is with vault write %[1]s/config/issuers default=ISSUER, or %[2]s", v.mount, onRole("issuer_ref"))},
		{"unable to find PKI issuer", onRole("issuer_ref to an issuer that there is, or default,")},
		{"could not fetch the CA certificate", fmt.Sprintf("make the CA, for example with %s/root/generate/internal", v.mount)},
	} {
		if strings.Contains(reason, known.reason) {
			return known.fix
		}
	}
	return ""
}

// ofTheRequest reports whether Vault finds fault with the names of one request,
// and may well certify others.
func ofTheRequest(reason string) bool {
	return strings.Contains(reason, "not allowed by this role") || strings.Contains(reason, "common_name field is required")
}

// exactly is the fix for a certificate that is not what was asked for.
func (v server) exactly() string {
	return fmt.Sprintf("the role %s must keep what is asked for: use_csr_common_name=true, use_csr_sans=true, server_flag=true, client_flag=true, key_usage with DigitalSignature", v.rolePath())
}

func (v server) unreachable(err error) error {
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	hint := ""
	switch {
	case errors.As(err, &authority):
		hint = ": its own certificate is of a CA that is not known here: give that CA"
	case errors.As(err, &hostname):
		hint = ": its own certificate is for other names"
	case errors.Is(err, http.ErrSchemeMismatch):
		hint = ": it speaks plain HTTP: set the protocol to http"
	}
	return away{fmt.Errorf("vault at %s cannot be reached%s: %w", v.address, hint, err)}
}

// status is that of an answer of Vault's, 0 if the error is none.
func status(err error) int {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// reason is what Vault said, in one line.
func reason(err error) string {
	var answer *api.ResponseError
	if !errors.As(err, &answer) {
		return ""
	}
	line := strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " ")
	if len(line) > maxReason {
		line = line[:maxReason] + "…"
	}
	return line
}
