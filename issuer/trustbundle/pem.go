// Package trustbundle reads certificates, and the keys beside them, from PEM.
// Everything of the mesh that accepts PEM reads it here, so that what one
// component accepts no other refuses. It does not know what certificates are
// for.
package trustbundle

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// MaxBytes bounds what is parsed: more than any mesh needs, far less than a
// ConfigMap holds.
const MaxBytes = 256 << 10

const certificateType = "CERTIFICATE" // RFC 7468, section 5.1

var begin = []byte("-----BEGIN ")

// ParseCertificates reads one or more certificates. It refuses any other block,
// and whatever [parseBlocks] refuses.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := parseBlocks(data)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return nil, errors.New("no certificate in it")
	}
	certificates := make([]*x509.Certificate, len(blocks))
	for i, block := range blocks {
		if block.Type != certificateType {
			return nil, fmt.Errorf("a PEM block of type %q where only CERTIFICATE belongs", block.Type)
		}
		if certificates[i], err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return certificates, nil
}

// Salvage returns the certificates that can be read in what ParseCertificates
// refuses, as in a text that was cut off. It is for repairs of what only the mesh
// itself writes.
func Salvage(data []byte) (all []*x509.Certificate) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == certificateType {
			all = append(all, certificate)
		}
	}
	return all
}

// ParseKey reads one private key: PKCS #8, or one of the two older forms that
// an operator's own tools may have made. Its errors never repeat what it read.
func ParseKey(data []byte) (crypto.Signer, error) {
	blocks, err := parseBlocks(data)
	if err != nil || len(blocks) != 1 {
		return nil, errors.New("it is not one PEM block and nothing else")
	}
	var key any
	switch block := blocks[0]; block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("it is a PEM block of type %q, not PRIVATE KEY", block.Type)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("it is not a private key that can sign")
	}
	return signer, nil
}

// ParseKeyPair reads a chain, the leaf first, and the leaf's key. It replaces
// [tls.X509KeyPair], which skips what it does not know.
func ParseKeyPair(chain, key []byte) (*tls.Certificate, error) {
	if _, err := ParseCertificates(chain); err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	if _, err := ParseKey(key); err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// parseBlocks reads PEM blocks with blank lines between them at most (RFC 7468,
// section 3). It refuses text outside of a block, a block that is malformed or
// has headers, and more than MaxBytes.
func parseBlocks(data []byte) (blocks []*pem.Block, err error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%d bytes of PEM are larger than %d", len(data), MaxBytes)
	}
	for rest := bytes.TrimSpace(data); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, begin) {
			return nil, errors.New("not PEM: text outside of a block")
		}
		block, after := pem.Decode(rest)
		switch {
		case block == nil || bytes.Count(rest[:len(rest)-len(after)], begin) != 1:
			// pem.Decode skips a malformed block if it finds another after it.
			return nil, errors.New("not PEM: a block is malformed or cut off")
		case len(block.Headers) > 0:
			return nil, errors.New("a PEM block with headers, which RFC 7468 does not allow")
		}
		blocks, rest = append(blocks, block), after
	}
	return blocks, nil
}
