// Package injector gives the pods of the mesh their sidecar, at admission.
//
// A pod takes one way through it: Handler checks what the API server sent,
// Config.Inject decodes the pod, decide tells whether it joins the mesh and why,
// conflicts and readOverrides refuse what can't work, additions are what the pod
// gets, and the answer is a JSON Patch of those and of the probes that now lead
// through the sidecar. All between decoding and answering is pure, and reads one
// Config, which may be another for the next pod.
//
// A pod is injected when its namespace is labelled
//
//	openservicemesh.io/monitored-by: <mesh>
//
// and neither the namespace nor the pod says otherwise with the annotation
// openservicemesh.io/sidecar-injection. The label alone is a yes, the
// namespace's annotation "disabled" leaves only the pods that say "enabled"
// themselves, and the pod's own annotation wins. Pods on the host's network and
// for Windows, mirror pods, the namespaces of Kubernetes and of the mesh itself,
// and namespaces labelled openservicemesh.io/ignore are never touched.
//
// An injected pod bears the container "sidecar", the volume "osm-identity", the
// label osm-proxy-uuid, the annotation that holds its Bootstrap, and, if its
// connections are intercepted, the init container "osm-init" that sees to it.
// None of them is a secret: a proxy proves who it is with the service-account
// token that the kubelet mounts. A pod that bears them all has its sidecar and
// stays as it is; one that bears the volume but not all the rest is a copy of an
// injected one, such as kubectl debug makes, and is injected anew.
//
// The package must not know how certificates are issued or served, nor how
// connections are intercepted, and neither makes a key nor writes to the API.
package injector
