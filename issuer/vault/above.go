package vault

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// errAmbiguous says that an issuer's chain can be read in several ways.
var errAmbiguous = errors.New("the CAs between its issuer and a root lead to different places: delete those that do not belong there, or give the root")

// rootsAbove returns the roots that a certificate chains to: itself, if it is
// one. None is no error.
//
// A signature names the key that made it, so that a root which signed is
// certain. A CA in between is not: anyone can certify anyone's name and key
// (RFC 5280, section 6.1, takes any path that leads to a trusted root, and here
// none is trusted yet). Where such CAs lead to different places, none is believed.
func rootsAbove(certificate *x509.Certificate, among []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	return climb(certificate, among, now, maxChain)
}

func climb(certificate *x509.Certificate, among []*x509.Certificate, now time.Time, left int) ([]*x509.Certificate, error) {
	if selfSigned(certificate) {
		return valid(now, certificate), nil
	}
	if left == 0 {
		return nil, fmt.Errorf("its issuer's chain has more than %d certificates", maxChain)
	}
	var roots, between []*x509.Certificate
	for _, parent := range among {
		switch {
		case !bytes.Equal(parent.RawSubject, certificate.RawIssuer) || certificate.CheckSignatureFrom(parent) != nil:
		case selfSigned(parent):
			roots = append(roots, parent)
		case !slices.ContainsFunc(between, parent.Equal):
			between = append(between, parent)
		}
	}
	switch {
	case len(roots) > 0:
		return valid(now, roots...), nil
	case len(between) == 0:
		return nil, nil
	case len(between) > 1:
		return nil, errAmbiguous
	}
	return climb(between[0], among, now, left-1)
}

func selfSigned(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.RawSubject, certificate.RawIssuer) && certificate.CheckSignatureFrom(certificate) == nil
}

func valid(now time.Time, roots ...*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(roots), func(root *x509.Certificate) bool { return issuer.CheckRoot(root, now) != nil })
}
