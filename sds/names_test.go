package sds

import (
	"errors"
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/identity"
)

func identityOf(t testing.TB, namespace, account string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestParseName(t *testing.T) {
	own := identityOf(t, "bookstore", "bookstore-v2")
	cases := []struct {
		name    string
		secret  string
		kind    kind
		refusal Reason
	}{
		{name: "a proxy gets its own certificate", secret: "service-cert:bookstore/bookstore-v2", kind: tlsCertificate},
		{name: "Envoy's default certificate is the proxy's own", secret: "default", kind: tlsCertificate},
		{name: "Envoy's ROOTCA is the mesh's bundle", secret: "ROOTCA", kind: validationContext},
		{name: "a proxy gets its own inbound roots", secret: "root-cert-for-mtls-inbound:bookstore/bookstore-v2", kind: validationContext},
		{name: "outbound roots are there for any service", secret: "root-cert-for-mtls-outbound:bookwarehouse/bookwarehouse", kind: validationContext},
		{name: "another account's certificate is refused", secret: "service-cert:bookstore/bookstore-v1", refusal: ReasonForeignSecret},
		{name: "the same account of another namespace is another", secret: "service-cert:bookbuyer/bookstore-v2", refusal: ReasonForeignSecret},
		{name: "another account's inbound roots are refused", secret: "root-cert-for-mtls-inbound:bookstore/bookstore-v1", refusal: ReasonForeignSecret},
		{name: "case matters", secret: "service-cert:bookstore/Bookstore-v2", refusal: ReasonUnknownSecret},
		{name: "an account needs a namespace", secret: "service-cert:bookstore-v2", refusal: ReasonUnknownSecret},
		{name: "a name has no third part", secret: "service-cert:bookstore/bookstore-v2/x", refusal: ReasonUnknownSecret},
		{name: "a service needs a namespace", secret: "root-cert-for-mtls-outbound:bookwarehouse", refusal: ReasonUnknownSecret},
		{name: "a service's name is a label", secret: "root-cert-for-mtls-outbound:a/b.c", refusal: ReasonUnknownSecret},
		{name: "an unknown kind is refused", secret: "private-key:bookstore/bookstore-v2", refusal: ReasonUnknownSecret},
		{name: "an alias is matched whole", secret: "default:bookstore/bookstore-v2", refusal: ReasonUnknownSecret},
		{name: "there is no wildcard", secret: "*", refusal: ReasonUnknownSecret},
		{name: "an empty name is refused", secret: "", refusal: ReasonUnknownSecret},
		{name: "a name of unbounded length is refused", secret: "service-cert:" + strings.Repeat("a", 10_000), refusal: ReasonUnknownSecret},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, err := parseName(c.secret, own)
			if c.refusal == "" {
				if err != nil || k != c.kind {
					t.Fatalf("kind %v, %v; want kind %v", k, err, c.kind)
				}
				return
			}
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok || refusal.Reason != c.refusal {
				t.Fatalf("%v; want refusal %q", err, c.refusal)
			}
			if len(refusal.Message) > 2*maxNameLength {
				t.Fatalf("a message of %d bytes", len(refusal.Message))
			}
		})
	}
}
