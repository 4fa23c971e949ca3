package webhook

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// checkCertificates tells whether data is one or more PEM certificates and
// nothing else. It is stricter than the standard library's parsers, which skip
// what they don't know: a bundle with something else in it was not made for
// this.
func checkCertificates(data []byte) error {
	rest := bytes.TrimSpace(data)
	if len(rest) == 0 {
		return errors.New("missing or empty")
	}
	for len(rest) > 0 {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN")) {
			return errors.New("holds something that is not PEM")
		}
		block, after := pem.Decode(rest)
		if block == nil {
			return errors.New("holds a malformed PEM block")
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("holds a PEM block of type %q, not only certificates", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("holds a malformed certificate: %w", err)
		}
		rest = bytes.TrimSpace(after)
	}
	return nil
}
