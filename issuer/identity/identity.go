// Package identity names workloads: a service account of a trust domain, as SPIFFE,
// DNS and SDS name it, and the rules for those names.
package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Identity names a workload: a Kubernetes service account within a trust
// domain. It is a comparable value; the zero Identity is not valid. Identities
// are compared as values, never by pattern.
type Identity struct {
	spiffeID       spiffeid.ID
	namespace      string
	serviceAccount string
}

// New returns the identity of a service account. It refuses a trust
// domain that SPIFFE-ID section 2.1 or a DNS name does not allow, a namespace
// that is not an RFC 1123 label, a service account that is not an RFC 1123
// subdomain, and a combination whose common name is longer than a DNS name may
// be.
func New(trustDomain, namespace, serviceAccount string) (Identity, error) {
	td, err := parseTrustDomain(trustDomain)
	if err != nil {
		return Identity{}, err
	}
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return Identity{}, fmt.Errorf("namespace %q: %s", namespace, strings.Join(problems, "; "))
	}
	if problems := validation.IsDNS1123Subdomain(serviceAccount); len(problems) > 0 {
		return Identity{}, fmt.Errorf("service account %q: %s", serviceAccount, strings.Join(problems, "; "))
	}
	spiffeID, err := spiffeid.FromSegments(td, "ns", namespace, "sa", serviceAccount)
	if err != nil {
		return Identity{}, fmt.Errorf("SPIFFE ID of service account %q in namespace %q: %w", serviceAccount, namespace, err)
	}
	id := Identity{spiffeID: spiffeID, namespace: namespace, serviceAccount: serviceAccount}
	if len(id.CommonName()) > validation.DNS1123SubdomainMaxLength {
		return Identity{}, fmt.Errorf("service account %q: its certificate would be named %q, longer than the %d characters of a DNS name: shorten it",
			serviceAccount, id.CommonName(), validation.DNS1123SubdomainMaxLength)
	}
	return id, nil
}

// Parse is the inverse of SPIFFEID: it reads
// spiffe://<trust domain>/ns/<namespace>/sa/<service account>.
func Parse(uri string) (Identity, error) {
	id, err := spiffeid.FromString(uri)
	if err != nil {
		return Identity{}, err
	}
	segments := strings.Split(id.Path(), "/")
	if len(segments) != 5 || segments[1] != "ns" || segments[3] != "sa" {
		return Identity{}, fmt.Errorf("path %q is not /ns/<namespace>/sa/<service account>", id.Path())
	}
	return New(id.TrustDomain().Name(), segments[2], segments[4])
}

// CheckTrustDomain returns why a name is not one of a trust domain, if it is not:
// see New.
func CheckTrustDomain(name string) error {
	_, err := parseTrustDomain(name)
	return err
}

// maxTrustDomain is that of SPIFFE-ID, section 2.1, in bytes.
const maxTrustDomain = 255

// parseTrustDomain takes names only, and no name that DNS and URI SANs cannot
// hold: SPIFFE-ID would allow one with empty labels.
func parseTrustDomain(name string) (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(name)
	switch {
	case err != nil:
		return td, fmt.Errorf("trust domain %q: %w", name, err)
	case len(name) > maxTrustDomain:
		return td, fmt.Errorf("trust domain of %d characters: one has at most %d", len(name), maxTrustDomain)
	case td.Name() != name, slices.Contains(strings.Split(name, "."), ""):
		return td, fmt.Errorf("trust domain %q: want a plain DNS name, such as cluster.local", name)
	}
	return td, nil
}

// TrustDomain returns the trust domain, for example "cluster.local".
func (id Identity) TrustDomain() string { return id.spiffeID.TrustDomain().Name() }

// Namespace returns the service account's namespace.
func (id Identity) Namespace() string { return id.namespace }

// ServiceAccount returns the service account's name.
func (id Identity) ServiceAccount() string { return id.serviceAccount }

// SPIFFEID returns spiffe://<trust domain>/ns/<namespace>/sa/<service account>,
// and the zero ID for the zero Identity.
func (id Identity) SPIFFEID() spiffeid.ID { return id.spiffeID }

// CommonName returns <service account>.<namespace>.<trust domain>. No two
// identities of a trust domain share it: a namespace holds no dot.
func (id Identity) CommonName() string {
	return id.serviceAccount + "." + id.namespace + "." + id.TrustDomain()
}

// String returns the SPIFFE ID.
func (id Identity) String() string {
	if id == (Identity{}) {
		return "no identity"
	}
	return id.spiffeID.String()
}
