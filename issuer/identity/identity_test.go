package identity_test

import (
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/identity"
)

func TestAnIdentityHasTheNamesThatUsersKnow(t *testing.T) {
	tests := map[string]struct{ trustDomain, namespace, serviceAccount, commonName, spiffeID string }{
		"of the guide": {"cluster.local", "bookstore", "bookstore-v2",
			"bookstore-v2.bookstore.cluster.local", "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"},
		"with dots in the service account": {"cluster.local", "kube-a", "system.node.v1",
			"system.node.v1.kube-a.cluster.local", "spiffe://cluster.local/ns/kube-a/sa/system.node.v1"},
		"in a trust domain of one label": {"mesh", "a", "b", "b.a.mesh", "spiffe://mesh/ns/a/sa/b"},
		"in a trust domain as SPIFFE allows it": {"prod_1.example-2.org", "a", "b",
			"b.a.prod_1.example-2.org", "spiffe://prod_1.example-2.org/ns/a/sa/b"},
		"of digits": {"1.2", "3", "4", "4.3.1.2", "spiffe://1.2/ns/3/sa/4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id, err := identity.New(test.trustDomain, test.namespace, test.serviceAccount)
			if err != nil {
				t.Fatal(err)
			}
			if got := id.CommonName(); got != test.commonName {
				t.Errorf("common name %q, want %q", got, test.commonName)
			}
			if got := id.SPIFFEID().String(); got != test.spiffeID || id.String() != got {
				t.Errorf("SPIFFE ID %q, printed %q, want %q", got, id, test.spiffeID)
			}
			if id.TrustDomain() != test.trustDomain || id.Namespace() != test.namespace || id.ServiceAccount() != test.serviceAccount {
				t.Errorf("parts are %q, %q, %q", id.TrustDomain(), id.Namespace(), id.ServiceAccount())
			}
		})
	}
}

func TestAnInvalidIdentityIsRefusedByTheNameOfItsPart(t *testing.T) {
	tests := map[string]struct{ trustDomain, namespace, serviceAccount, want string }{
		"no trust domain":             {"", "a", "b", `trust domain ""`},
		"upper case trust domain":     {"Cluster.local", "a", "b", `trust domain "Cluster.local"`},
		"trust domain with a port":    {"cluster.local:1", "a", "b", `trust domain "cluster.local:1"`},
		"trust domain as SPIFFE ID":   {"spiffe://cluster.local", "a", "b", `want a plain DNS name, such as cluster.local`},
		"trust domain as workload ID": {"spiffe://cluster.local/ns/a/sa/b", "a", "b", `want a plain DNS name, such as cluster.local`},
		"trust domain ending in dot":  {"cluster.local.", "a", "b", `trust domain "cluster.local."`},
		"trust domain with two dots":  {"cluster..local", "a", "b", `trust domain "cluster..local"`},
		"trust domain of a dot":       {".", "a", "b", `trust domain "."`},
		"trust domain without end":    {strings.Repeat("a", 256), "a", "b", "one has at most 255"},
		"no namespace":                {"td", "", "b", `namespace ""`},
		"namespace with a dot":        {"td", "a.b", "c", `namespace "a.b"`},
		"namespace with a slash":      {"td", "a/sa/b", "c", `namespace "a/sa/b"`},
		"namespace of 64 characters":  {"td", strings.Repeat("a", 64), "b", "namespace"},
		"upper case namespace":        {"td", "A", "b", `namespace "A"`},
		"no service account":          {"td", "a", "", `service account ""`},
		"service account with slash":  {"td", "a", "b/c", `service account "b/c"`},
		"service account of dots":     {"td", "a", "..", `service account ".."`},
		"service account with line":   {"td", "a", "b\n", `service account "b\n"`},
		"service account with star":   {"td", "a", "*", `service account "*"`},
		"wildcard namespace":          {"td", "*", "b", `namespace "*"`},
		"a name too long for DNS":     {"cluster.local", "a", strings.Repeat("b", 238), "longer than the 253 characters of a DNS name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id, err := identity.New(test.trustDomain, test.namespace, test.serviceAccount)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if id != (identity.Identity{}) {
				t.Errorf("got %v all the same", id)
			}
		})
	}
}

func TestIdentitiesAreComparedAsValues(t *testing.T) {
	one, same, other := identityOf(t, "bookstore-v1"), identityOf(t, "bookstore-v1"), identityOf(t, "bookstore-v2")
	if one != same || one == other {
		t.Error("identities of the same parts differ, or of other parts do not")
	}
	if held := map[identity.Identity]bool{one: true}; !held[same] || held[other] {
		t.Error("an identity is not found as a key")
	}
}

func TestNoTwoIdentitiesOfATrustDomainShareACommonName(t *testing.T) {
	labels := []string{"a", "b", "a-b", "ns", "cluster", "local"}
	seen := map[string]identity.Identity{}
	for _, namespace := range labels {
		for _, first := range labels {
			for _, second := range append(labels, "") {
				serviceAccount := strings.TrimSuffix(first+"."+second, ".")
				id, err := identity.New("cluster.local", namespace, serviceAccount)
				if err != nil {
					t.Fatal(err)
				}
				if other, ok := seen[id.CommonName()]; ok {
					t.Errorf("%v and %v share %s", id, other, id.CommonName())
				}
				seen[id.CommonName()] = id
			}
		}
	}
}

func TestTheZeroIdentityIsNoIdentity(t *testing.T) {
	var id identity.Identity
	if !id.SPIFFEID().IsZero() || id.String() != "no identity" {
		t.Errorf("it is %v with SPIFFE ID %v", id, id.SPIFFEID())
	}
}

func TestAnIdentityIsReadFromItsURI(t *testing.T) {
	id := identityOf(t, "bookstore")
	if got, err := identity.Parse(id.String()); err != nil || got != id {
		t.Errorf("%s: %s, %v", id, got, err)
	}
	for _, uri := range []string{"", "spiffe://cluster.local", "spiffe://cluster.local/ns/a/sa", "spiffe://cluster.local/ns/a/sa/b/c", "spiffe://cluster.local/sa/b/ns/a", "https://cluster.local/ns/a/sa/b", "spiffe://a..b/ns/a/sa/b"} {
		if id, err := identity.Parse(uri); err == nil {
			t.Errorf("%q is %s", uri, id)
		}
	}
}

func identityOf(t testing.TB, serviceAccount string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", serviceAccount)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
