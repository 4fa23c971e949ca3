// Package interception says which of a pod's TCP connections go through its
// sidecar. A Config is written into the pod by the injector, and osm-init makes
// the kernel's packet filter follow it; see package nft.
//
// The package must not know Kubernetes objects, and neither how the sidecar gets
// its certificate.
package interception
