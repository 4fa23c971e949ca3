package issuer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	asn1tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Names are those that a CA has to be able to certify.
type Names struct {
	// TrustDomain is that of every service account.
	TrustDomain string
	// Servers is the DNS domain of the servers that it certifies beside, as
	// "osm-system.svc". Empty: none.
	Servers string
}

// CheckNames refuses a CA certificate whose name constraints (RFC 5280, section
// 4.2.1.10) forbid some name of the mesh, as crypto/x509 or as OpenSSL
// understands them.
func CheckNames(ca *x509.Certificate, names Names) error {
	if len(extension(ca, oidNameConstraints)) == 0 {
		return nil
	}
	if !onlyKnownConstraints(extension(ca, oidNameConstraints)) {
		return errors.New("its name constraints are of another kind than DNS names, URIs, e-mail and IP addresses: make a root without them")
	}
	for _, domain := range []string{names.TrustDomain, names.Servers} {
		if domain != "" && !dnsAllowed(ca, domain) {
			return fmt.Errorf("its name constraints forbid DNS names below %s: permit %[1]s, or make a root without them", domain)
		}
	}
	if !uriAllowed(ca, names.TrustDomain) {
		return fmt.Errorf("its name constraints forbid the URIs spiffe://%s/...: permit URIs of the host %[1]s, or make a root without them", names.TrustDomain)
	}
	return nil
}

// dnsAllowed reports whether every name below the domain is allowed.
func dnsAllowed(ca *x509.Certificate, domain string) bool {
	covers := func(constraint string) bool { return within(domain, constraint) }
	touches := func(constraint string) bool { return covers(constraint) || within(constraint, domain) }
	permitted := len(ca.PermittedDNSDomains) == 0 || slices.ContainsFunc(ca.PermittedDNSDomains, covers)
	return permitted && !slices.ContainsFunc(ca.ExcludedDNSDomains, touches)
}

// uriAllowed permits as OpenSSL does, for which a host is below a constraint
// only if that starts with a dot, and excludes as crypto/x509 does.
func uriAllowed(ca *x509.Certificate, host string) bool {
	exactly := func(constraint string) bool {
		if strings.HasPrefix(constraint, ".") {
			return strings.HasSuffix(strings.ToLower(host), strings.ToLower(constraint))
		}
		return strings.EqualFold(host, constraint)
	}
	permitted := len(ca.PermittedURIDomains) == 0 || slices.ContainsFunc(ca.PermittedURIDomains, exactly)
	return permitted && !slices.ContainsFunc(ca.ExcludedURIDomains, func(constraint string) bool { return within(host, constraint) })
}

// within reports whether a domain is the other or below it.
func within(domain, other string) bool {
	domain, other = strings.TrimPrefix(strings.ToLower(domain), "."), strings.TrimPrefix(strings.ToLower(other), ".")
	return other == "" || domain == other || strings.HasSuffix(domain, "."+other)
}

// onlyKnownConstraints reports whether crypto/x509 knows all constraints: it
// passes over others in an extension that is not critical, and OpenSSL does not.
func onlyKnownConstraints(value cryptobyte.String) bool {
	known := []asn1tag.Tag{1, tagDNSName, tagURI, 7} // RFC 5280, section 4.2.1.6: e-mail, and IP addresses
	var constraints cryptobyte.String
	if !value.ReadASN1(&constraints, asn1tag.SEQUENCE) {
		return false
	}
	for !constraints.Empty() {
		var subtrees cryptobyte.String
		if !constraints.ReadAnyASN1(&subtrees, new(asn1tag.Tag)) {
			return false
		}
		for !subtrees.Empty() {
			var subtree, base cryptobyte.String
			var tag asn1tag.Tag
			if !subtrees.ReadASN1(&subtree, asn1tag.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) ||
				!slices.ContainsFunc(known, func(k asn1tag.Tag) bool { return tag == k.ContextSpecific() }) {
				return false
			}
		}
	}
	return true
}
