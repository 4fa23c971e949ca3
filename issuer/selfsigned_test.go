package issuer_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// withMD5 signs a certificate anew, which crypto/x509 does not.
func withMD5(t *testing.T, certificate *x509.Certificate, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	sha256, md5 := []byte{42, 134, 72, 134, 247, 13, 1, 1, 11}, []byte{42, 134, 72, 134, 247, 13, 1, 1, 4}
	tbs := bytes.Replace(certificate.RawTBSCertificate, sha256, md5, 1)
	digest := crypto.MD5.New()
	digest.Write(tbs)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.MD5, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, asn1.RawValue{FullBytes: append([]byte{48, 13, 6, 9}, append(md5, 5, 0)...)}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestARootIsOneWhateverItsSignature(t *testing.T) {
	weak := rsaKey(t, 2048)
	template := rootTemplate(time.Now())
	md5 := withMD5(t, signed(t, template, template, weak.Public(), weak), weak.(*rsa.PrivateKey))
	if err := issuer.CheckRoot(md5, time.Now()); err != nil {
		t.Errorf("with MD5: %v", err)
	}
	for name, algorithm := range map[string]x509.SignatureAlgorithm{"SHA-256": x509.SHA256WithRSA, "SHA-1": x509.SHA1WithRSA, "SHA-1 with ECDSA": x509.ECDSAWithSHA1} {
		key := weak
		if algorithm == x509.ECDSAWithSHA1 {
			key = ecdsaKey(t, elliptic.P256())
		}
		template := rootTemplate(time.Now())
		template.SignatureAlgorithm = algorithm
		root := signed(t, template, template, key.Public(), key)
		if err := issuer.CheckRoot(root, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		namesake := signed(t, template, template, ecdsaKey(t, elliptic.P256()).Public(), key)
		if err := issuer.CheckRoot(namesake, time.Now()); err == nil || !strings.Contains(err.Error(), "another key signed it") {
			t.Errorf("%s, by another key: %v", name, err)
		}
		root.Signature[8] ^= 1
		if err := issuer.CheckRoot(root, time.Now()); err == nil {
			t.Errorf("%s, damaged: it is accepted", name)
		}
	}
}
