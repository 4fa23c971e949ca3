package mesh

const (
	// CertificatePrefix begins the SDS name of a service account's certificate and
	// key; <namespace>/<service account> follows.
	CertificatePrefix = "service-cert:"
	// ValidationPrefix begins the SDS name of the roots that its peers are verified
	// with.
	ValidationPrefix = "root-cert-for-mtls-inbound:"
)

// CertificateSecret returns the SDS name of a service account's certificate and key.
func CertificateSecret(namespace, serviceAccount string) string {
	return CertificatePrefix + namespace + "/" + serviceAccount
}

// ValidationSecret returns the SDS name of the roots that its peers are verified
// with.
func ValidationSecret(namespace, serviceAccount string) string {
	return ValidationPrefix + namespace + "/" + serviceAccount
}
