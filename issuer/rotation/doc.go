// Package rotation replaces roots. State and Next are the steps, pure: which roots
// are trusted, which of them may sign, and until when the others stay. Plan, pure
// too, is what each replica does in a State. Record keeps
// the state in the ConfigMap osm-trust-bundle of the mesh's namespace, which outlives
// its processes. Rotation finds out which proxies have acknowledged the trusted
// roots, and the replica that holds the Lease records what follows. How certificates
// are issued, what proxies are sent, and how copies of the bundle get into the
// namespaces are not its business. It holds public certificates only.
package rotation

const (
	// ConfigMapName is the name of the ConfigMap, in every namespace.
	ConfigMapName = "osm-trust-bundle"
	// BundleKey is the key of the roots, PEM.
	BundleKey = "ca.crt"
)
