// Package trust owns what the osm-trust-bundle ConfigMaps say: which roots the
// mesh trusts and, in its own namespace, how far the replacement of a root has
// come: which may sign, and until when the others stay. They hold public
// certificates only. Who moves it on, and how copies get into the monitored
// namespaces, is not its business.
package trust

const (
	// ConfigMapName is the name of the ConfigMap, in every namespace.
	ConfigMapName = "osm-trust-bundle"
	// BundleKey is the key of the roots, PEM.
	BundleKey = "ca.crt"
)
