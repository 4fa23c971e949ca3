package issuer

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

// NewIdentity returns the identity of a service account. It refuses a trust
// domain that SPIFFE-ID section 2.1 or a DNS name does not allow, a namespace
// that is not an RFC 1123 label, a service account that is not an RFC 1123
// subdomain, and a combination whose common name is longer than a DNS name may
// be.
func NewIdentity(trustDomain, namespace, serviceAccount string) (Identity, error) {
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
	if n := len(id.CommonName()); n > validation.DNS1123SubdomainMaxLength {
		return Identity{}, fmt.Errorf("service account %q: its certificate name %q has %d characters, a DNS name has at most %d",
			serviceAccount, id.CommonName(), n, validation.DNS1123SubdomainMaxLength)
	}
	return id, nil
}

// parseTrustDomain takes names only, and no name that DNS and URI SANs cannot
// hold: SPIFFE-ID would allow one with empty labels.
func parseTrustDomain(name string) (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(name)
	switch {
	case err != nil:
		return td, fmt.Errorf("trust domain %q: %w", name, err)
	case td.Name() != name:
		return td, fmt.Errorf("trust domain %q: want the name alone, %q", name, td.Name())
	case slices.Contains(strings.Split(name, "."), ""):
		return td, fmt.Errorf("trust domain %q: a dot stands at the start, at the end, or next to another", name)
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
