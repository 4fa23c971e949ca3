package sds

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// maxNames bounds what one stream subscribes to. A proxy needs one certificate,
// and a validation context for each service that it calls.
const maxNames = 64

// session is what both protocols have in common: what one stream subscribed to,
// what it was sent and what it accepted. It does no I/O and reads no clock.
//
// A response goes out whenever a secret's content differs from what was sent
// last, whether or not that was answered. To wait for the answer would let a
// proxy that is slow to give it hold back the end of a leaked root; a slow
// reader is held back by HTTP/2 flow control instead, and finds the latest
// content after it. A NACK changes nothing of what was sent, so it is not
// answered before the content changes.
type session struct {
	identity identity.Identity
	quota    quota  // of the pod; none when nil
	tag      string // begins every nonce: those of another stream are not taken for this one's
	sent     uint64 // responses so far; the last one's number
	secrets  map[string]*secret
	peers                  // what is asked about addresses
	update   issuer.Update // the latest, zero before the first
	versions [2]string     // of the update's content, by kind; empty for none
	reported uint64        // last version of an Update that was found accepted
	trusted  string        // version of the last bundle that was found accepted

	skew   time.Duration // for which a certificate is held back
	has    possession    // what the proxy brought along, until it is sent another
	ripeAt time.Time     // when it is; zero if nothing is held back
}

// secret is one name that the stream subscribed to.
type secret struct {
	kind    kind
	version string // of the content sent last, "" before
	nonce   uint64 // of the response that carried it
	answer  acknowledgement
}

// acknowledgement is the proxy's answer to what it was sent.
type acknowledgement int

const (
	unanswered acknowledgement = iota
	accepted
	rejected
)

// step is what an input makes the stream do.
type step[Response any] struct {
	response *Response // to be sent, or nil
	inUse    uint64    // version of the Update that the proxy has come to use, or 0
	trusts   bool      // the proxy has come to use the Update's bundle
	acked    bool      // the request accepted a response
	nacked   bool      // the request rejected a response
	detail   string    // why it did
}

func newSession(identity identity.Identity, tag string) session {
	return session{identity: identity, tag: tag, secrets: map[string]*secret{}}
}

// checkType takes an absent type URL for the only type of this service:
// DiscoveryRequest.type_url is implicit outside of aggregated discovery.
func checkType(url string) error {
	if url != "" && url != secretType {
		return refuse(ReasonProtocol, "type URL %q is not served here, only %s", bounded(url), secretType)
	}
	return nil
}

// subscribe adds the name, or forgets what was sent of it.
func (s *session) subscribe(name string) error {
	if name == httpPortsName {
		return s.addPorts()
	}
	if address, is, err := addressOf(name); err != nil {
		return err
	} else if is {
		return s.within(name, ofAddress, func() error { return s.add(name, address) })
	}
	k, err := parseName(name, s.identity)
	if err != nil {
		return err
	}
	return s.within(name, ofSecret, func() error { return s.hold(name, k) })
}

// within has a name that is new counted as one of its pod's.
func (s *session) within(name string, kind int, add func() error) error {
	if s.quota != nil && s.subscribed(name) == nil && !s.quota.reserve(kind) {
		return refuse(ReasonNames, "the pod subscribes to as many secrets or addresses as it may, on all of its streams")
	}
	return add()
}

// hold adds a secret, or forgets what was sent of it.
func (s *session) hold(name string, k kind) error {
	s.secrets[name] = &secret{kind: k}
	if len(s.secrets) > maxNames {
		return refuse(ReasonProtocol, "a stream may subscribe to %d secrets at most", maxNames)
	}
	return nil
}

// unsubscribe drops the name.
func (s *session) unsubscribe(name string) {
	if s.quota != nil && s.subscribed(name) != nil {
		_, address := s.byName[name]
		s.quota.release(map[bool]int{false: ofSecret, true: ofAddress}[address])
	}
	delete(s.secrets, name)
	s.remove(name)
}

// quota bounds the names of a pod, on all of its streams. What a stream has not
// released when it ends is released then.
type quota interface {
	// reserve reports whether there may be one more, and counts it then.
	reserve(kind int) bool
	release(kind int)
}

// bound has the names counted.
func (s *session) bound(q quota) { s.quota = q }

// subscribed returns what was sent of a name, nil if it is not subscribed to.
func (s *session) subscribed(name string) *secret {
	if peer, ok := s.byName[name]; ok {
		return &peer.secret
	}
	return s.secrets[name]
}

// current returns the version of a name's content, "" while there is none.
func (s *session) current(name string) string {
	if peer, ok := s.byName[name]; ok {
		return peer.current
	}
	return s.versions[s.secrets[name].kind]
}

// encode returns the content of a name.
func (s *session) encode(name string) (*anypb.Any, error) {
	if name == httpPortsName {
		return s.own.encode()
	}
	if peer, ok := s.byName[name]; ok {
		return peer.encode(name)
	}
	return s.secrets[name].kind.encode(name, s.identity.TrustDomain(), s.update)
}

// noWildcard refuses a first request without names. For other resource types it
// would subscribe to everything there is.
func (s *session) noWildcard() error {
	if len(s.secrets)+len(s.byName) == 0 {
		return refuse(ReasonProtocol, "the first request names no secret; secrets are sent by name only")
	}
	return nil
}

// take keeps an update for the responses to come.
func (s *session) take(u issuer.Update) { s.update = u }

// bundle returns the bundle of the latest update.
func (s *session) bundle() trustbundle.TrustBundle { return s.update.Bundle }

// look takes in what the update has to send by now.
func (s *session) look(now time.Time) {
	for _, k := range []kind{tlsCertificate, validationContext} {
		s.versions[k] = k.version(s.update, now)
	}
	s.withhold(now)
	s.peers.look()
}

// outdated returns the names, in order, whose content the proxy was not sent.
// Those without content wait for it.
func (s *session) outdated(now time.Time) []string {
	s.look(now)
	var names []string
	for name, secret := range s.secrets {
		if version := s.versions[secret.kind]; version != "" && secret.version != version {
			names = append(names, name)
		}
	}
	for name, peer := range s.byName {
		if peer.version != peer.current {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// names returns everything the stream subscribed to that has content, in order.
func (s *session) names() []string {
	var names []string
	for name, secret := range s.secrets {
		if s.versions[secret.kind] != "" {
			names = append(names, name)
		}
	}
	for name := range s.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// state digests the names and their current versions.
func (s *session) state() string {
	var b strings.Builder
	for _, name := range s.names() {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(s.current(name))
		b.WriteByte(0)
	}
	return digest([]byte(b.String()))
}

// send notes that the current content of the names goes out in one response,
// and returns its nonce.
func (s *session) send(names []string) string {
	s.sent++
	for _, name := range names {
		secret := s.subscribed(name)
		secret.version, secret.nonce, secret.answer = s.current(name), s.sent, unanswered
	}
	return s.tag + "." + strconv.FormatUint(s.sent, 10)
}

// position returns which of this stream's responses the nonce names, 0 for an
// empty nonce.
func (s *session) position(nonce string) (uint64, error) {
	if nonce == "" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(nonce, s.tag+".")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || n == 0 || n > s.sent || number != strconv.FormatUint(n, 10) {
		return 0, refuse(ReasonProtocol, "nonce %q was not sent on this stream", bounded(nonce))
	}
	return n, nil
}

// settle notes the acknowledgement of a response and reports whether it is news.
func (s *session) settle(nonce uint64, a acknowledgement) bool {
	news := false
	take := func(secret *secret) {
		if secret.nonce == nonce && secret.answer == unanswered {
			secret.answer, news = a, true
		}
	}
	for _, secret := range s.secrets {
		take(secret)
	}
	for _, peer := range s.byName {
		take(&peer.secret)
	}
	return news
}

// inUse returns the update's version once, when the proxy has accepted all that
// it subscribed to as it is in that update, and 0 otherwise.
func (s *session) inUse() uint64 {
	if len(s.secrets) == 0 || s.update.Version == s.reported {
		return 0
	}
	for _, secret := range s.secrets {
		if secret.answer != accepted || secret.version != s.versions[secret.kind] {
			return 0
		}
	}
	s.reported = s.update.Version
	return s.reported
}

// trusts returns true once for a bundle, when the proxy has accepted it wherever
// it subscribed to it.
func (s *session) trusts() bool {
	bundle, contexts := s.versions[validationContext], 0
	if bundle == "" || s.trusted == bundle {
		return false
	}
	for _, secret := range s.secrets {
		if secret.kind != validationContext {
			continue
		}
		contexts++
		if secret.answer != accepted || secret.version != bundle {
			return false
		}
	}
	if contexts > 0 {
		s.trusted = bundle
	}
	return contexts > 0
}

// bounded cuts what a client wrote to what a log or an error has room for, and
// takes out what would break a line.
func bounded(text string) string {
	const most = 256
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
}
