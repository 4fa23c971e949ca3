package convert

import (
	"strings"
)

// kind is what corresponds in the two versions of one kind of object, from
// v1alpha2 to v1.
type kind struct {
	moves []move
	// choices are objects of v1 of which only one field may be set.
	choices [][]string
	// references are objects of v1alpha2 that name a namespace, where v1 means
	// the object's own.
	references [][]string
}

func kinds() map[string]kind {
	return map[string]kind{"MeshConfig": meshConfig(), "MeshRootCertificate": meshRootCertificate()}
}

func meshConfig() kind {
	image := form{name, name, "an image"}
	return kind{moves: append(status(),
		field("spec.certificate.serviceCertValidityDuration", "spec.certificate.serviceCertValidityDuration", form{text, text, "a text"}),
		field("spec.certificate.certKeyBitSize", "spec.certificate.keyAlgorithm", form{algorithm, keySize, "2048, 3072 or 4096"}),
		field("spec.sidecar.sidecarImage", "spec.sidecar.image", image),
		field("spec.sidecar.initContainerImage", "spec.sidecar.initImage", image),
		field("spec.sidecar.logLevel", "spec.sidecar.logLevel", level()),
		field("spec.sidecar.resources", "spec.sidecar.resources", form{resources, resources, "limits and requests of quantities, such as cpu: 100m and memory: 64Mi"}),
		field("spec.sidecar.enablePrivilegedInitContainer", "spec.sidecar.privilegedInitContainer", form{flag, flag, "true or false"}),
		field("spec.traffic.inboundPortExclusionList", "spec.traffic.inboundPortExclusions", form{numbers, numbers, "a list of ports"}),
		field("spec.traffic.outboundPortExclusionList", "spec.traffic.outboundPortExclusions", form{numbers, numbers, "a list of ports"}),
		field("spec.traffic.outboundIPRangeExclusionList", "spec.traffic.outboundIPRangeExclusions", form{texts, texts, "a list of texts"}),
		field("spec.traffic.outboundIPRangeInclusionList", "spec.traffic.outboundIPRangeInclusions", form{texts, texts, "a list of texts"}),
		field("spec.traffic.networkInterfaceExclusionList", "spec.traffic.networkInterfaceExclusions", form{texts, texts, "a list of texts"}),
		field("spec.observability.osmLogLevel", "spec.observability.logLevel", level()),
	)}
}

func meshRootCertificate() kind {
	const provider = "spec.provider."
	return kind{
		moves: append(status(),
			field("spec.trustDomain", "spec.trustDomain", form{text, text, "a text"}),
			field("spec.role", "spec.role", role()),
			field(provider+"tresor.ca.secretRef.name", provider+"tresor.secretRef.name", form{text, text, "a text"}),
			move{
				end{path: at(provider + "vault"), fields: endpoint()}, end{path: at(provider + "vault.address")},
				form{address, fields, "protocol, host and port that make a URL"},
			},
			field(provider+"vault.role", provider+"vault.role", form{text, text, "a text"}),
			field(provider+"vault.token.secretKeyRef.name", provider+"vault.auth.tokenSecretRef.name", form{text, text, "a text"}),
			field(provider+"vault.token.secretKeyRef.key", provider+"vault.auth.tokenSecretRef.key", form{text, text, "a text"}),
			field(provider+"certManager.issuerName", provider+"certManager.issuerRef.name", form{text, text, "a text"}),
			field(provider+"certManager.issuerKind", provider+"certManager.issuerRef.kind", form{text, text, "a text"}),
			field(provider+"certManager.issuerGroup", provider+"certManager.issuerRef.group", form{text, text, "a text"}),
		),
		choices:    [][]string{at("spec.provider"), at(provider + "vault.auth")},
		references: [][]string{at(provider + "tresor.ca.secretRef"), at(provider + "vault.token.secretKeyRef")},
	}
}

// status is what the mesh writes, the same in both versions.
func status() (moves []move) {
	for _, name := range []string{"observedGeneration", "conditions", "notAfter", "roots"} {
		moves = append(moves, field("status."+name, "status."+name, form{anything, anything, "a value"}))
	}
	return moves
}

func role() form {
	return form{
		word(map[string]string{"active": "Active", "passive": "Passive", "inactive": "Inactive", "revoked": "Revoked"}),
		word(map[string]string{"Active": "active", "Passive": "passive", "Inactive": "inactive", "Revoked": "revoked"}),
		"active, passive or inactive",
	}
}

// level takes the levels of Envoy and of zerolog for the nearest of ours.
func level() form {
	return form{
		word(map[string]string{
			"trace": "debug", "debug": "debug", "info": "info", "warning": "warn", "warn": "warn",
			"error": "error", "critical": "error", "fatal": "error", "panic": "error", "off": "error", "disabled": "error",
		}),
		word(map[string]string{"debug": "debug", "info": "info", "warn": "warn", "error": "error"}),
		"debug, info, warn or error",
	}
}

func field(old, new string, form form) move {
	return move{end{path: at(old)}, end{path: at(new)}, form}
}

func at(path string) []string { return strings.Split(path, ".") }
