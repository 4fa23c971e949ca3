package issuer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5" // for signatures that are not relied on
	"crypto/rsa"
	_ "crypto/sha1" // the same
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	asn1tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Sizes of RSA keys in bits: OpenSSL's security level 2 refuses less than the
// least, crypto/tls and BoringSSL more than the most.
const (
	leastRSA = 2048
	mostRSA  = 8192
)

var (
	oidAuthorityKeyID  = asn1.ObjectIdentifier{2, 5, 29, 35} // RFC 5280, section 4.2.1.1
	oidKeyUsage        = asn1.ObjectIdentifier{2, 5, 29, 15} // section 4.2.1.3
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30} // section 4.2.1.10
)

// CheckAuthority refuses the CA certificate of an intermediate that some peer of
// the mesh would refuse: crypto/x509, which is laxer in places, or OpenSSL at its
// security level 2, as Pipy's. See [CheckRoot] for roots.
func CheckAuthority(ca *x509.Certificate) error {
	if err := checkCA(ca); err != nil {
		return err
	}
	return checkSignatureAlgorithm(ca.SignatureAlgorithm)
}

// checkCA looks at everything but the signature.
func checkCA(ca *x509.Certificate) error {
	switch {
	case !ca.BasicConstraintsValid || !ca.IsCA:
		return errors.New("the certificate is not a CA certificate")
	case ca.KeyUsage&x509.KeyUsageCertSign == 0 && extension(ca, oidKeyUsage) != nil:
		return errors.New("the certificate's key usage does not allow it to sign certificates: make one with keyCertSign")
	case len(ca.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("the certificate has the critical extension %s, which peers do not know: make one without it", ca.UnhandledCriticalExtensions[0])
	case !allowsBothSides(ca):
		return errors.New("the certificate's extended key usage leaves out server or client authentication: make one with both, or without the extension")
	}
	return checkKey(ca.PublicKey)
}

// allowsBothSides does not take anyExtendedKeyUsage for the two: OpenSSL does
// not either, of a CA.
func allowsBothSides(ca *x509.Certificate) bool {
	if len(ca.ExtKeyUsage)+len(ca.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(ca.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && slices.Contains(ca.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
}

func checkKey(key any) error {
	const remedy = "use RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519"
	switch key := key.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < leastRSA || n > mostRSA {
			return fmt.Errorf("the certificate's RSA key has %d bits: %s", n, remedy)
		}
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return fmt.Errorf("the certificate's key is on the curve %s, which TLS 1.3 does not have: %s", key.Curve.Params().Name, remedy)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("the certificate's key is of a kind that peers do not know, such as RSA-PSS: %s", remedy)
	}
	return nil
}

var soundSignatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
	x509.PureEd25519,
}

func checkSignatureAlgorithm(algorithm x509.SignatureAlgorithm) error {
	if slices.Contains(soundSignatures, algorithm) {
		return nil
	}
	return fmt.Errorf("the certificate is signed with %s, which peers do not accept: sign it with SHA-256 or better", algorithm)
}

// extension returns the value of an extension, nil if there is none.
func extension(certificate *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	for _, e := range certificate.Extensions {
		if e.Id.Equal(id) {
			return e.Value
		}
	}
	return nil
}

// namesItself reports whether a root's authority key identifier, if it has one,
// is that of its own key, and names no other certificate by its serial number.
func namesItself(root *x509.Certificate) bool {
	if len(root.AuthorityKeyId) > 0 && len(root.SubjectKeyId) > 0 && !bytes.Equal(root.AuthorityKeyId, root.SubjectKeyId) {
		return false
	}
	value := cryptobyte.String(extension(root, oidAuthorityKeyID))
	var id, serial cryptobyte.String
	named := false
	if !value.ReadASN1(&id, asn1tag.SEQUENCE) {
		return true
	}
	for _, tag := range []uint8{0, 1} {
		if !id.SkipOptionalASN1(asn1tag.Tag(tag).ContextSpecific()) && !id.SkipOptionalASN1(asn1tag.Tag(tag).ContextSpecific().Constructed()) {
			return false
		}
	}
	if !id.ReadOptionalASN1(&serial, &named, asn1tag.Tag(2).ContextSpecific()) {
		return false
	}
	return !named || new(big.Int).SetBytes(serial).Cmp(root.SerialNumber) == 0
}

// Names are those that a CA has to be able to certify.
type Names struct {
	// TrustDomain is that of every service account.
	TrustDomain string
	// Servers is the DNS domain of the servers that it certifies beside, as
	// "osm-system.svc". Empty: none.
	Servers string
}

// CheckNames refuses a CA certificate whose name constraints (RFC 5280, section
// 4.2.1.10) forbid some name of the mesh, as crypto/x509 or as OpenSSL
// understands them.
func CheckNames(ca *x509.Certificate, names Names) error {
	if len(extension(ca, oidNameConstraints)) == 0 {
		return nil
	}
	if !onlyKnownConstraints(extension(ca, oidNameConstraints)) {
		return errors.New("its name constraints are of another kind than DNS names, URIs, e-mail and IP addresses: make a root without them")
	}
	for _, domain := range []string{names.TrustDomain, names.Servers} {
		if domain != "" && !dnsAllowed(ca, domain) {
			return fmt.Errorf("its name constraints forbid DNS names below %s: permit %[1]s, or make a root without them", domain)
		}
	}
	if !uriAllowed(ca, names.TrustDomain) {
		return fmt.Errorf("its name constraints forbid the URIs spiffe://%s/...: permit URIs of the host %[1]s, or make a root without them", names.TrustDomain)
	}
	return nil
}

// dnsAllowed reports whether every name below the domain is allowed.
func dnsAllowed(ca *x509.Certificate, domain string) bool {
	covers := func(constraint string) bool { return within(domain, constraint) }
	touches := func(constraint string) bool { return covers(constraint) || within(constraint, domain) }
	permitted := len(ca.PermittedDNSDomains) == 0 || slices.ContainsFunc(ca.PermittedDNSDomains, covers)
	return permitted && !slices.ContainsFunc(ca.ExcludedDNSDomains, touches)
}

// uriAllowed permits as OpenSSL does, for which a host is below a constraint
// only if that starts with a dot, and excludes as crypto/x509 does.
func uriAllowed(ca *x509.Certificate, host string) bool {
	exactly := func(constraint string) bool {
		if strings.HasPrefix(constraint, ".") {
			return strings.HasSuffix(strings.ToLower(host), strings.ToLower(constraint))
		}
		return strings.EqualFold(host, constraint)
	}
	permitted := len(ca.PermittedURIDomains) == 0 || slices.ContainsFunc(ca.PermittedURIDomains, exactly)
	return permitted && !slices.ContainsFunc(ca.ExcludedURIDomains, func(constraint string) bool { return within(host, constraint) })
}

// within reports whether a domain is the other or below it.
func within(domain, other string) bool {
	domain, other = strings.TrimPrefix(strings.ToLower(domain), "."), strings.TrimPrefix(strings.ToLower(other), ".")
	return other == "" || domain == other || strings.HasSuffix(domain, "."+other)
}

// onlyKnownConstraints reports whether crypto/x509 knows all constraints: it
// passes over others in an extension that is not critical, and OpenSSL does not.
func onlyKnownConstraints(value cryptobyte.String) bool {
	known := []asn1tag.Tag{1, tagDNSName, tagURI, 7} // RFC 5280, section 4.2.1.6: e-mail, and IP addresses
	var constraints cryptobyte.String
	if !value.ReadASN1(&constraints, asn1tag.SEQUENCE) {
		return false
	}
	for !constraints.Empty() {
		var subtrees cryptobyte.String
		if !constraints.ReadAnyASN1(&subtrees, new(asn1tag.Tag)) {
			return false
		}
		for !subtrees.Empty() {
			var subtree, base cryptobyte.String
			var tag asn1tag.Tag
			if !subtrees.ReadASN1(&subtree, asn1tag.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) ||
				!slices.ContainsFunc(known, func(k asn1tag.Tag) bool { return tag == k.ContextSpecific() }) {
				return false
			}
		}
	}
	return true
}

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

// Tags of GeneralName (RFC 5280, section 4.2.1.6).
const (
	tagDNSName = 2
	tagURI     = 6
)
