package sds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer"
)

// secretType is the type URL of every resource of this service.
const secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

// version identifies a secret's content. It depends on public bytes alone: a
// certificate's key is as old as the certificate. It is empty where there is no
// content to send: a proxy is better off with what it has than with an expired
// certificate or an empty bundle.
func (k kind) version(u issuer.Update, now time.Time) string {
	switch {
	case k == tlsCertificate && (u.Certificate == nil || !now.Before(u.Certificate.NotAfter())):
		return ""
	case k == tlsCertificate:
		return possessionOf(u).in(digest(u.Certificate.ChainPEM()))
	case u.Bundle.IsEmpty():
		return ""
	}
	return digest(u.Bundle.PEM())
}

// digest names content that is compared between replicas and across restarts.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}

// encode returns the secret under the name that the proxy asked for.
func (k kind) encode(name, trustDomain string, u issuer.Update) (*anypb.Any, error) {
	secret := &tlsv3.Secret{Name: name}
	if k == tlsCertificate {
		secret.Type = &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inline(u.Certificate.ChainPEM()),
			PrivateKey:       inline(u.Certificate.KeyPEM()),
		}}
	} else {
		secret.Type = &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 inline(u.Bundle.PEM()),
			MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{withinTrustDomain(trustDomain)},
		}}
	}
	resource, err := anypb.New(secret)
	if err != nil {
		return nil, fmt.Errorf("encode secret %s: %w", name, err)
	}
	return resource, nil
}

// withinTrustDomain accepts the SPIFFE IDs of the trust domain. The slash keeps
// out a trust domain that merely begins like it.
func withinTrustDomain(trustDomain string) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{
		SanType: tlsv3.SubjectAltNameMatcher_URI,
		Matcher: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "spiffe://" + trustDomain + "/"},
		},
	}
}

func inline(content []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: content}}
}
