package injector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"k8s.io/apimachinery/pkg/util/validation"
)

// identity is a service account of a trust domain, as the mesh names it.
type identity struct {
	spiffeID                               spiffeid.ID
	trustDomain, namespace, serviceAccount string
}

func newIdentity(trustDomain, namespace, serviceAccount string) (identity, error) {
	domain, err := parseTrustDomain(trustDomain)
	if err != nil {
		return identity{}, err
	}
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return identity{}, fmt.Errorf("namespace %q: %s", namespace, strings.Join(problems, "; "))
	}
	if problems := validation.IsDNS1123Subdomain(serviceAccount); len(problems) > 0 {
		return identity{}, fmt.Errorf("service account %q: %s", serviceAccount, strings.Join(problems, "; "))
	}
	id, err := spiffeid.FromSegments(domain, "ns", namespace, "sa", serviceAccount)
	if err != nil {
		return identity{}, fmt.Errorf("service account %s/%s: %w", namespace, serviceAccount, err)
	}
	named := identity{id, trustDomain, namespace, serviceAccount}
	if name := named.commonName(); len(name) > validation.DNS1123SubdomainMaxLength {
		return identity{}, fmt.Errorf("service account %q: its certificate would be named %q, longer than the %d characters of a DNS name: shorten it",
			serviceAccount, name, validation.DNS1123SubdomainMaxLength)
	}
	return named, nil
}

// parseIdentity is the inverse of newIdentity: spiffe://<trust
// domain>/ns/<namespace>/sa/<service account>.
func parseIdentity(uri string) (identity, error) {
	id, err := spiffeid.FromString(uri)
	if err != nil {
		return identity{}, err
	}
	segments := strings.Split(id.Path(), "/")
	if len(segments) != 5 || segments[1] != "ns" || segments[3] != "sa" {
		return identity{}, fmt.Errorf("path %q is not /ns/<namespace>/sa/<service account>", id.Path())
	}
	return newIdentity(id.TrustDomain().Name(), segments[2], segments[4])
}

// parseTrustDomain takes SPIFFE-ID section 2.1 without the URI form that
// go-spiffe takes as well, and no empty DNS label, for the trust domain is the
// end of DNS names.
func parseTrustDomain(name string) (spiffeid.TrustDomain, error) {
	domain, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		return domain, fmt.Errorf("trust domain %q: %w", name, err)
	}
	if domain.Name() != name || slices.Contains(strings.Split(name, "."), "") {
		return domain, fmt.Errorf("trust domain %q: want a plain DNS name, such as cluster.local", name)
	}
	return domain, nil
}

// commonName is the DNS SAN of the identity's certificate, too.
func (i identity) commonName() string {
	return i.serviceAccount + "." + i.namespace + "." + i.trustDomain
}

// certificateName is the SDS name of the identity's certificate and key.
func (i identity) certificateName() string {
	return "service-cert:" + i.namespace + "/" + i.serviceAccount
}

// validationName is the SDS name of the roots that the identity's peers are
// verified with.
func (i identity) validationName() string {
	return "root-cert-for-mtls-inbound:" + i.namespace + "/" + i.serviceAccount
}
