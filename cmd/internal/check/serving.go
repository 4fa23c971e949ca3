package check

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// servingSoon is far less than what is left when osm-bootstrap issues a serving
// certificate anew.
const servingSoon = 30 * 24 * time.Hour

// serving returns what a webhook serves with, or nil if it cannot be served.
func (s *Snapshot) serving(service string, c *Check) []*x509.Certificate {
	name, host := service+"-tls", service+"."+s.Namespace+".svc"
	object, secret := s.object("Secret", name), s.Secrets[name]
	renew := s.reissue(service)
	if secret == nil {
		c.fail(object, s.certify(), "it does not exist: %s has no serving certificate", service)
		return nil
	}
	chain, problem := s.chain(secret, host)
	if problem != "" {
		c.fail(object, renew, "%s", problem)
		return nil
	}
	if rest := chain[0].NotAfter.Sub(s.Now); rest < min(servingSoon, chain[0].NotAfter.Sub(chain[0].NotBefore)/10) {
		c.warn(object, renew, "key %q expires in %s and has not been renewed", corev1.TLSCertKey, Left(rest))
	}
	return chain
}

// chain reads what is served, and returns what is wrong with it.
func (s *Snapshot) chain(secret *corev1.Secret, host string) (chain []*x509.Certificate, problem string) {
	chain, err := trustbundle.ParseCertificates(secret.Data[corev1.TLSCertKey])
	if err != nil {
		return nil, fmt.Sprintf("key %q: %s", corev1.TLSCertKey, err)
	}
	if _, err := trustbundle.ParseKeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err != nil {
		// The text is not repeated: it is about a key.
		return nil, fmt.Sprintf("key %q is not the private key of %q", corev1.TLSPrivateKeyKey, corev1.TLSCertKey)
	}
	switch leaf := chain[0]; {
	case s.Now.After(leaf.NotAfter):
		return nil, fmt.Sprintf("key %q expired at %s", corev1.TLSCertKey, leaf.NotAfter.UTC().Format(time.RFC3339))
	case s.Now.Before(leaf.NotBefore):
		return nil, fmt.Sprintf("key %q is not valid before %s", corev1.TLSCertKey, leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.VerifyHostname(host) != nil:
		return nil, fmt.Sprintf("key %q is for %v, not for %s", corev1.TLSCertKey, leaf.DNSNames, host)
	}
	return chain, ""
}

// trustedBy tells whether the API server accepts what a server serves.
func (s *Snapshot) trustedBy(one call, service string, chain []*x509.Certificate, c *Check) {
	fix := s.certify()
	if len(bytes.TrimSpace(one.caBundle)) == 0 {
		c.fail(one.object, fix, "its caBundle is empty: the API server cannot verify %s", service)
		return
	}
	roots, err := trustbundle.ParseCertificates(one.caBundle)
	if err != nil {
		c.fail(one.object, fix, "its caBundle is malformed: %s", err)
		return
	}
	if chain == nil {
		return
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: s.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, root := range roots {
		options.Roots.AddCert(root)
	}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	if _, err := chain[0].Verify(options); err != nil {
		c.fail(one.object, s.unverified(service, rejectionOf(err)), "its caBundle does not verify what %s serves, which is signed by %s: %s", service, chain[0].Issuer, err)
	}
}

// rejection is why crypto/x509 does not accept a serving certificate.
type rejection int

const (
	untrusted rejection = iota // no root that is trusted signed it
	forbidden                  // the name constraints of a CA forbid its name
	unusable                   // it is out of its time, or for another name
)

// rejectionOf classifies an error of [x509.Certificate.Verify].
func rejectionOf(err error) rejection {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return unusable
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason {
		case x509.CANotAuthorizedForThisName:
			return forbidden
		case x509.Expired:
			return unusable
		}
	}
	return untrusted
}

// rejectionIn classifies what an API server reports of such an error, which is its
// text alone.
func rejectionIn(text string) rejection {
	has := func(words string) bool { return strings.Contains(text, words) }
	switch {
	case has("not authorized to sign for this name"), has("not permitted by any constraint"), has("excluded by constraint"):
		return forbidden
	case has("has expired or is not yet valid"), has("certificate is valid for"), has("is not valid for any names"):
		return unusable
	}
	return untrusted
}

// unverified is what to do about a serving certificate that is not accepted, here or
// by an API server.
func (s *Snapshot) unverified(service string, because rejection) string {
	switch because {
	case forbidden:
		signer := v1.NewestActive(s.Roots)
		if signer == nil || signer.Spec.Provider.Tresor == nil {
			return s.reissue(service) // by a CA of osm-bootstrap's own
		}
		if first := s.blocked(); first != "" {
			return first
		}
		return fmt.Sprintf("have a root sign whose name constraints permit %s.svc, or that has none: %s", s.Namespace, s.put(signer.Spec.Provider.Tresor.SecretRef.Name, "ca.crt", "private.key"))
	case unusable:
		return s.reissue(service)
	}
	return s.certify()
}
