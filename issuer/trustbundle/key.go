package trustbundle

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// parametersType is the block that OpenSSL writes before a key of an elliptic
// curve. It repeats the curve, which the key names, too.
const parametersType = "EC PARAMETERS"

// ParseKey reads one private key: PKCS #8, or one of the two older forms that
// an operator's own tools may have made. It may be there more than once, and text
// outside of blocks is passed over. Its errors never repeat what it read.
func ParseKey(data []byte) (crypto.Signer, error) {
	text, err := scan(data)
	if err != nil {
		return nil, err
	}
	var key crypto.Signer
	for _, block := range distinct(text.blocks) {
		if block.Type == parametersType {
			continue
		}
		next, err := parseKeyBlock(block)
		switch {
		case err != nil:
			return nil, err
		case key != nil && !matches(key.Public(), next.Public()):
			return nil, errors.New("it holds two private keys: keep the one that belongs to the certificate")
		}
		key = next
	}
	if key == nil {
		return nil, none("private key", data)
	}
	if err := checkParameters(text.blocks, key); err != nil {
		return nil, err
	}
	return key, nil
}

func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a PEM block of type %q where only PRIVATE KEY belongs%s", block.Type, keyAdvice(block.Type))
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("it is not a private key that can sign")
	}
	return signer, nil
}

// checkParameters refuses a curve beside the key that is not the key's own.
func checkParameters(blocks []*pem.Block, key crypto.Signer) error {
	for _, block := range blocks {
		if block.Type == parametersType && !bytes.Equal(block.Bytes, curveOf(key)) {
			return errors.New("its EC PARAMETERS are not those of the key: remove that block")
		}
	}
	return nil
}

// curveOf returns the DER of the parameters of the key's algorithm (RFC 5480,
// section 2.1.1).
func curveOf(key crypto.Signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil
	}
	return info.Algorithm.Parameters.FullBytes
}

func matches(a, b crypto.PublicKey) bool {
	public, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(b)
}

// isKey reports whether blocks of the type are private keys.
func isKey(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }
