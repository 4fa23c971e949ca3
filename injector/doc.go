// Package injector gives the pods of the mesh their sidecar, at admission.
//
// A pod takes one way through it: Handler checks and decodes what the API
// server sent, decide tells whether the pod joins the mesh and why, mutate
// writes the sidecar into a copy, and patch is the difference as JSON Patch.
// All between decoding and answering is pure, and reads one Config, which may
// be another for the next pod.
//
// A pod is injected when its namespace is labelled
//
//	openservicemesh.io/monitored-by: <mesh>
//
// and neither the namespace nor the pod says otherwise with the annotation
// openservicemesh.io/sidecar-injection. The label alone is a yes, the
// namespace's annotation "disabled" leaves only the pods that say "enabled"
// themselves, and the pod's own annotation wins. Pods on the host's network,
// the namespaces of Kubernetes and of the mesh itself, and namespaces labelled
// openservicemesh.io/ignore are never touched.
//
// An injected pod bears four marks: the container "sidecar", the volume
// "osm-identity", the label osm-proxy-uuid, and the annotation that holds its
// Bootstrap. None of them is a secret: a proxy proves who it is with the
// service-account token that the kubelet mounts.
//
// The package must not know how certificates are issued or served, and neither
// makes a key nor writes to the API.
package injector
