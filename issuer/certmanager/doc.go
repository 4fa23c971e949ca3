// Package certmanager is a certificate authority that cert-manager leads to: it
// asks by CertificateRequests, and takes them away again whatever comes of them.
//
// It owns those requests and nothing else in Kubernetes. How cert-manager's
// issuers sign is not its business, nor where the roots are kept: it is told
// them. What cert-manager says of roots (status.ca) it does not believe.
package certmanager
