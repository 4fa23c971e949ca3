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

// ErrUnfit is what the error is for a root that no mesh can have.
var ErrUnfit = errors.New("the mesh cannot use")

// errAmbiguous says that an issuer's chain can be read in several ways.
var errAmbiguous = errors.New("the CAs between its issuer and a root lead to different places: delete those that do not belong there, or give the root")

// rootsAbove returns the roots that a certificate chains to: itself, if it is
// one. None is no error, unless there are some that no mesh can have.
//
// A signature names the key that made it, so that a root which signed is
// certain. A CA in between is not: anyone can certify anyone's name and key
// (RFC 5280, section 6.1, takes any path that leads to a trusted root, and here
// none is trusted yet). Where such CAs lead to different places, none is believed.
func rootsAbove(certificate *x509.Certificate, among []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	return climb(certificate, among, now, maxChain)
}

func climb(certificate *x509.Certificate, among []*x509.Certificate, now time.Time, left int) ([]*x509.Certificate, error) {
	if issuer.SelfSigned(certificate) {
		return fit(now, certificate)
	}
	if left == 0 {
		return nil, fmt.Errorf("its issuer's chain has more than %d certificates", maxChain)
	}
	var roots, between []*x509.Certificate
	for _, parent := range among {
		switch {
		case !bytes.Equal(parent.RawSubject, certificate.RawIssuer) || certificate.CheckSignatureFrom(parent) != nil:
		case issuer.SelfSigned(parent):
			roots = append(roots, parent)
		case !slices.ContainsFunc(between, parent.Equal):
			between = append(between, parent)
		}
	}
	switch {
	case len(roots) > 0:
		return fit(now, roots...)
	case len(between) == 0:
		return nil, nil
	case len(between) > 1:
		return nil, errAmbiguous
	}
	return climb(between[0], among, now, left-1)
}

// fit returns those that can be roots of a mesh or, if none can, why.
func fit(now time.Time, roots ...*x509.Certificate) (all []*x509.Certificate, err error) {
	for _, root := range roots {
		if unfit := issuer.CheckRoot(root, now); unfit != nil {
			err = fmt.Errorf("its issuer chains to root %q, which %w: %w", root.Subject, ErrUnfit, unfit)
			continue
		}
		all = append(all, root)
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, err
}
