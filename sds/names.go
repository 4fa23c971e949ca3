package sds

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	serviceCertPrefix  = mesh.CertificatePrefix
	inboundRootPrefix  = mesh.ValidationPrefix
	outboundRootPrefix = "root-cert-for-mtls-outbound:"
	// peersPrefix is followed by an IP address: see peers.go.
	peersPrefix = "peers:"

	// The names that stock Envoy configurations use.
	defaultCertAlias = "default"
	defaultRootAlias = "ROOTCA"

	// maxNameLength leaves room for the longest namespace and service account.
	maxNameLength = 512
)

// kind is what a secret holds.
type kind int

const (
	tlsCertificate kind = iota
	validationContext
)

// parseName says what a proxy of the identity gets under the secret's name, or
// refuses a name that is not its to ask for.
func parseName(name string, own identity.Identity) (kind, error) {
	if len(name) > maxNameLength {
		return 0, refuse(ReasonUnknownSecret, "a secret name of %d bytes is longer than %d", len(name), maxNameLength)
	}
	if name == defaultCertAlias {
		return tlsCertificate, nil
	}
	if name == defaultRootAlias {
		return validationContext, nil
	}
	if of, ok := strings.CutPrefix(name, serviceCertPrefix); ok {
		return tlsCertificate, checkOwn(name, of, own)
	}
	if of, ok := strings.CutPrefix(name, inboundRootPrefix); ok {
		return validationContext, checkOwn(name, of, own)
	}
	if of, ok := strings.CutPrefix(name, outboundRootPrefix); ok {
		return validationContext, checkService(name, of)
	}
	return 0, refuse(ReasonUnknownSecret, "there is no secret %q; a proxy of this service account may ask for %s, %s, %s<namespace>/<service>, %s<IP address>, %s, %s and %s",
		name, serviceCertPrefix+path(own), inboundRootPrefix+path(own), outboundRootPrefix, peersPrefix, httpPortsName, defaultCertAlias, defaultRootAlias)
}

func path(id identity.Identity) string { return id.Namespace() + "/" + id.ServiceAccount() }

func checkOwn(name, of string, own identity.Identity) error {
	namespace, account, ok := strings.Cut(of, "/")
	if !ok || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(account)) > 0 {
		return refuse(ReasonUnknownSecret, "secret name %q does not end in <namespace>/<service account>", name)
	}
	if namespace != own.Namespace() || account != own.ServiceAccount() {
		return refuse(ReasonForeignSecret, "secret %q belongs to another service account than %s, which this proxy's token is for", name, path(own))
	}
	return nil
}

func checkService(name, of string) error {
	namespace, service, ok := strings.Cut(of, "/")
	if !ok || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Label(service)) > 0 {
		return refuse(ReasonUnknownSecret, "secret name %q does not end in <namespace>/<service>", name)
	}
	return nil
}
