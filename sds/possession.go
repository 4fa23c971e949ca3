package sds

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// possession is the certificate that a proxy has, as the version of what it was
// sent says, which it brings along to its next stream. Another replica has another
// certificate for it, which may be new. Whatever a proxy makes of it: it is its
// own certificate that is held back, and no longer than a new one ever is.
type possession struct {
	end  int64  // in seconds since 1970
	root string // the begin of its SHA-256
}

// possessionOf returns none where the certificate's root is not known.
func possessionOf(u issuer.Update) possession {
	if u.Certificate == nil || u.Root == nil {
		return possession{}
	}
	return possession{u.Certificate.NotAfter().Unix(), nameOfRoot(u.Root)}
}

func nameOfRoot(root *x509.Certificate) string {
	return trustbundle.Fingerprint(root)[:16]
}

// in adds the possession to a version.
func (p possession) in(version string) string {
	if p == (possession{}) {
		return version
	}
	return fmt.Sprintf("%s.%d.%s", version, p.end, p.root)
}

// parsePossession returns none where the version says nothing of one.
func parsePossession(version string) possession {
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		return possession{}
	}
	end, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return possession{}
	}
	return possession{end, parts[2]}
}

// bring notes what the proxy has from an earlier stream.
func (s *session) bring(version string) {
	if p := parsePossession(version); p != (possession{}) {
		s.has = p
	}
}

// ripe returns when the update's certificate is to be sent, zero if that is now:
// a proxy keeps the one that it brought along, while that is valid, until clocks
// that are behind accept the new one.
func (s *session) ripe(now time.Time) time.Time {
	former := time.Unix(s.has.end, 0)
	if s.has == (possession{}) || s.update.Certificate == nil || !now.Before(former) || s.has == possessionOf(s.update) || !s.trustsRoot(s.has.root) {
		return time.Time{}
	}
	if at := s.update.Certificate.ServeAt(s.update.Root, former, s.skew); now.Before(at) {
		return at
	}
	return time.Time{}
}

func (s *session) trustsRoot(name string) bool {
	return slices.ContainsFunc(s.update.Bundle.Roots(), func(root *x509.Certificate) bool { return nameOfRoot(root) == name })
}

// withhold takes in whether the certificate is sent now, and forgets what the
// proxy brought along when it is: what follows comes when it is to be served.
func (s *session) withhold(now time.Time) {
	s.ripeAt = s.ripe(now)
	switch {
	case !s.ripeAt.IsZero():
		s.versions[tlsCertificate] = ""
	case s.versions[tlsCertificate] != "":
		s.has = possession{}
	}
}

// possessed is what the proxy has when it has taken in all that it is sent.
func (s *session) possessed() possession {
	if s.ripeAt.IsZero() {
		return possessionOf(s.update)
	}
	return s.has
}

// wake returns when there is more to send though nothing changes, zero if never.
func (s *session) wake() time.Time { return s.ripeAt }

// delays has certificates held back for that long.
func (s *session) delays(skew time.Duration) { s.skew = skew }
