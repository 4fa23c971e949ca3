package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

var (
	oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14} // RFC 2985, section 5.4.2
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}                // RFC 5280, section 4.2.1.6

	ecdsaWithSHA256 = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}                                  // RFC 5758
	rsaWithSHA256   = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue} // RFC 8017
	pureEd25519     = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 101, 112}}                                             // RFC 8410
)

// Tags of GeneralName (RFC 5280, section 4.2.1.6).
const (
	tagDNSName = 2
	tagURI     = 6
)

// certificationRequest is that of RFC 2986, section 4.2.
type certificationRequest struct {
	Info      asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// certificationRequestInfo is that of RFC 2986, section 4.1.
type certificationRequestInfo struct {
	Version    int
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Attributes []extensionRequest `asn1:"tag:0,set"`
}

type extensionRequest struct {
	Type   asn1.ObjectIdentifier
	Values [][]pkix.Extension `asn1:"set"`
}

// CSR returns the request as PKCS #10 DER (RFC 2986), signed with its key.
//
// x509.CreateCertificateRequest encodes the same, and then verifies what it
// signed, which is most of its time. Every authority that is asked does that.
func (r *Request) CSR() ([]byte, error) {
	der, err := r.signedInfo()
	if err != nil {
		return nil, fmt.Errorf("sign the request for %s: %w", r.commonName, err)
	}
	return der, nil
}

func (r *Request) signedInfo() ([]byte, error) {
	info, err := r.info()
	if err != nil {
		return nil, err
	}
	algorithm, signature, err := sign(r.key, info)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(certificationRequest{
		Info:      asn1.RawValue{FullBytes: info},
		Algorithm: algorithm,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

func (r *Request) info() ([]byte, error) {
	subject, err := asn1.Marshal(r.Subject().ToRDNSequence())
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(r.key.Public())
	if err != nil {
		return nil, err
	}
	names, err := r.subjectAltName()
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(certificationRequestInfo{
		Subject:    asn1.RawValue{FullBytes: subject},
		PublicKey:  asn1.RawValue{FullBytes: public},
		Attributes: []extensionRequest{{oidExtensionRequest, [][]pkix.Extension{{names}}}},
	})
}

// subjectAltName is not critical even where there is no subject beside it: that
// is for the certificate to be (RFC 5280, section 4.2.1.6).
func (r *Request) subjectAltName() (pkix.Extension, error) {
	var names []asn1.RawValue
	for _, name := range r.dnsNames {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDNSName, Bytes: []byte(name)})
	}
	for _, uri := range r.uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(uri.String())})
	}
	value, err := asn1.Marshal(names)
	return pkix.Extension{Id: oidSubjectAltName, Value: value}, err
}

func sign(key crypto.Signer, message []byte) (algorithm pkix.AlgorithmIdentifier, signature []byte, err error) {
	digest := sha256.Sum256(message)
	switch key.(type) {
	case *ecdsa.PrivateKey:
		signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return ecdsaWithSHA256, signature, err
	case *rsa.PrivateKey:
		signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
		return rsaWithSHA256, signature, err
	case ed25519.PrivateKey:
		signature, err = key.Sign(rand.Reader, message, crypto.Hash(0))
		return pureEd25519, signature, err
	}
	return pkix.AlgorithmIdentifier{}, nil, fmt.Errorf("a key of type %T", key)
}
