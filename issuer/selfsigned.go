package issuer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" // for signatures that are not relied on
	"crypto/rsa"
	_ "crypto/sha1" // the same
	"crypto/x509"
	"errors"
)

// SelfSigned reports whether a CA certificate is signed with its own key, by
// whatever hash. It only tells a root from an intermediate: peers do not verify
// the signature of what they trust (RFC 5280, section 6.1), so that SHA-1 will do.
func SelfSigned(ca *x509.Certificate) bool {
	if !bytes.Equal(ca.RawSubject, ca.RawIssuer) {
		return false
	}
	err := ca.CheckSignatureFrom(ca)
	if _, weak := errors.AsType[x509.InsecureAlgorithmError](err); weak {
		return weaklySigned(ca)
	}
	return err == nil
}

func weaklySigned(ca *x509.Certificate) bool {
	hash := crypto.SHA1
	if ca.SignatureAlgorithm == x509.MD5WithRSA {
		hash = crypto.MD5
	}
	digest := hash.New()
	digest.Write(ca.RawTBSCertificate)
	switch key := ca.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest.Sum(nil), ca.Signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest.Sum(nil), ca.Signature)
	}
	return false
}
