package vault

import (
	"crypto/x509"
	"sync"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// mostRemembered bounds what is remembered: more than a PKI has issuers.
const mostRemembered = 64

// remembered keeps the CA certificates that come with every answer, by
// their text. Whether they are to be believed is found out each time.
type remembered struct {
	mu     sync.Mutex
	parsed map[string][]*x509.Certificate
}

func (r *remembered) certificates(text string) ([]*x509.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.parsed[text]; ok {
		return known, nil
	}
	certificates, err := trustbundle.ParseCertificates([]byte(text))
	if err != nil {
		return nil, err
	}
	if r.parsed == nil || len(r.parsed) == mostRemembered {
		r.parsed = map[string][]*x509.Certificate{}
	}
	r.parsed[text] = certificates
	return certificates, nil
}
