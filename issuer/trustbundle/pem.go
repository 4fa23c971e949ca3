// Package trustbundle has [TrustBundle], the set of roots that peers trust, and
// reads certificates, and the keys beside them, from PEM. Everything of the mesh
// that accepts PEM reads it here, so that what one component accepts no other
// refuses. It takes what has one meaning, such as the text that tools write around
// the blocks, and refuses what has two. It does not know how certificates are
// issued.
package trustbundle

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// MaxBytes bounds what is parsed: more than any mesh needs, far less than a
// ConfigMap holds.
const MaxBytes = 256 << 10

const certificateType = "CERTIFICATE" // RFC 7468, section 5.1

// ParseCertificates reads one or more certificates, each once. It passes over
// text outside of blocks (RFC 7468, section 2), and refuses any other block and
// whatever [scan] refuses. [Ignored] returns what it passes over.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	text, err := scan(data)
	if err != nil {
		return nil, err
	}
	var certificates []*x509.Certificate
	for i, block := range text.blocks {
		if block.Type != certificateType {
			return nil, fmt.Errorf("a PEM block of type %q where only CERTIFICATE belongs%s", block.Type, certificateAdvice(block.Type))
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		if !slices.ContainsFunc(certificates, certificate.Equal) {
			certificates = append(certificates, certificate)
		}
	}
	if len(certificates) == 0 {
		return nil, none("certificate", data)
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

// ParseKeyPair reads a chain, the leaf first, and the leaf's key. It replaces
// [tls.X509KeyPair], which skips what it does not know.
func ParseKeyPair(chain, key []byte) (*tls.Certificate, error) {
	certificates, err := ParseCertificates(chain)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	signer, err := ParseKey(key)
	if err != nil {
		return nil, fmt.Errorf("the private key: %w", err)
	}
	if !matches(certificates[0].PublicKey, signer.Public()) {
		return nil, errors.New("the private key is not that of the first certificate")
	}
	pair := &tls.Certificate{PrivateKey: signer, Leaf: certificates[0]}
	for _, certificate := range certificates {
		pair.Certificate = append(pair.Certificate, certificate.Raw)
	}
	return pair, nil
}

// lineBytes is how many bytes a line of 64 characters holds (RFC 7468, section 2).
const lineBytes = 48

// Encode writes certificates as PEM and nothing else, whatever they were read
// from.
func Encode(certificates ...*x509.Certificate) []byte {
	ders := make([][]byte, len(certificates))
	for i, certificate := range certificates {
		ders[i] = certificate.Raw
	}
	return EncodeBlocks(certificateType, ders...)
}

// EncodeBlocks writes what pem.EncodeToMemory does, in a quarter of its time.
func EncodeBlocks(kind string, ders ...[]byte) []byte {
	size := 0
	for _, der := range ders {
		size += len("-----BEGIN -----\n-----END -----\n") + 2*len(kind) + 65*((len(der)+lineBytes-1)/lineBytes)
	}
	text := make([]byte, 0, size)
	for _, der := range ders {
		text = append(text, "-----BEGIN "+kind+"-----\n"...)
		for line := range slices.Chunk(der, lineBytes) {
			text = append(base64.StdEncoding.AppendEncode(text, line), '\n')
		}
		text = append(text, "-----END "+kind+"-----\n"...)
	}
	return text
}

// Ignored describes what ParseCertificates or ParseKey pass over in a text that
// they accept: nothing if it is empty. It never repeats the text.
func Ignored(data []byte) string {
	text, err := scan(data)
	if err != nil {
		return ""
	}
	return text.ignored()
}

// distinct returns the blocks without those that were there before.
func distinct(blocks []*pem.Block) (all []*pem.Block) {
	for _, block := range blocks {
		if !slices.ContainsFunc(all, func(b *pem.Block) bool { return b.Type == block.Type && bytes.Equal(b.Bytes, block.Bytes) }) {
			all = append(all, block)
		}
	}
	return all
}
