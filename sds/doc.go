// Package sds serves certificates and trust bundles to proxies: Envoy's secret
// discovery service (envoy.service.secret.v3) over gRPC, in both of its
// protocols, state of the world (sotw.go) and incremental (delta.go).
//
// [Server] is the service. Who asks is decided by an [Attestor], of which
// [PodAttestor] is the one for Kubernetes; a proxy gets the certificate of its
// own service account and no other. Certificates come from a [Source].
//
// The package knows nothing of certificate authorities, of how certificates are
// renewed, or of what is injected into pods.
package sds
