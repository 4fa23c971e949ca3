package check

import (
	"fmt"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// Components are the Deployments of a mesh.
var Components = [...]string{"osm-bootstrap", "osm-injector", "osm-controller"}

// Servers are the Services that the API server calls.
var Servers = [...]string{"osm-injector", "osm-validator", "osm-bootstrap"}

// Snapshot is what a mesh consists of, at one moment. What is not there is nil,
// or not in its map.
type Snapshot struct {
	// Mesh is the mesh's name, Namespace the one that it is installed in.
	Mesh, Namespace string
	// Keeper is what manages the mesh, and what to do there, if that is not osm.
	Keeper string
	// RootSecret is the name of the mesh's own; osm-ca-bundle if empty.
	RootSecret string
	// Now is the moment, by the caller's clock, and ServerTime by that of
	// the API server; zero if it did not tell.
	Now, ServerTime time.Time

	Deployments map[string]*appsv1.Deployment
	Replicas    []Replica
	// Lease is that of the osm-controller that leads.
	Lease  *coordinationv1.Lease
	Rights []Right

	Definitions map[string]*apiextensionsv1.CustomResourceDefinition
	Mutating    *admissionregistrationv1.MutatingWebhookConfiguration
	Validating  *admissionregistrationv1.ValidatingWebhookConfiguration
	// Calls are what came of having the API server call the servers of the mesh.
	Calls      []Call
	MeshConfig *v1.MeshConfig
	Roots      []v1.MeshRootCertificate

	// Secrets are those of roots and serving certificates, of the mesh namespace.
	Secrets map[string]*corev1.Secret
	// Foreign are those of them with a root that the mesh does not make.
	Foreign map[string]bool
	// Record is the mesh namespace's osm-trust-bundle, and Copies are those of
	// all other namespaces.
	Record *corev1.ConfigMap
	Copies map[string]*corev1.ConfigMap

	Namespaces []corev1.Namespace
	// Meshes are the names of all meshes of the cluster, and Others those that are
	// in other namespaces.
	Meshes []string
	Others []Other
	// Leftovers are Secrets that osm-edge kept sidecars' keys in, by namespace.
	Leftovers map[string][]string
	// Pods are those of monitored namespaces.
	Pods []Pod
	// Stuck are workloads of monitored namespaces whose pods are not created.
	Stuck []Stuck
	// StuckUnknown is why Stuck may lack some; empty if it does not.
	StuckUnknown string
	// Pulling are the namespaces that have each of the Secrets that PullSecrets
	// returns.
	Pulling map[string][]string
}

// Other is a mesh beside this one. It may have the same name.
type Other struct{ Mesh, Namespace string }

// Replica is a running pod of the control plane, and what it says of itself.
type Replica struct {
	Pod string
	// NotReady is what is missing, and Warnings is what is wrong though it is
	// ready.
	NotReady string
	Warnings []string
}

// Right is something that a service account of the mesh has to be allowed, as
// the chart grants it.
type Right struct {
	Account, Verb, Resource string
	Allowed                 bool
}

// Pod is what counts of a pod of a monitored namespace.
type Pod struct {
	Namespace, Name string
	// Workload is what to restart for a new pod, as in "deployment/books"; empty
	// if nothing would make a new one.
	Workload string
	// Container is the name of the sidecar's; empty if none is known.
	Container string
	// Sidecar is set in pods that have one, and Exempt in those that rightly have
	// none.
	Sidecar, Exempt bool
	// PullSecrets are those that the pod names.
	PullSecrets []string
	// NotReady is why the sidecar is not ready; empty if it is, or may be yet.
	NotReady string
	// Intercepted is set if connections to the pod are led to its sidecar, and
	// Ports are those of the application that they come to, as far as something
	// is known of them.
	Intercepted bool
	Ports       []Port
}

// Stuck is a workload whose pods the API server does not create.
type Stuck struct {
	Kind, Namespace, Name string
	// Reason is what the API server answered.
	Reason string
}

// Port is one of an application.
type Port struct {
	Number uint16
	// Declared is set if the sidecar takes nothing but HTTP on it.
	Declared bool
	// Named is set if the pod declares it by a name or an annotation. A sidecar of
	// an older version does not know of that.
	Named bool
	// HTTP says how it is known that the port is HTTP, each a clause.
	HTTP []string
}

func (s *Snapshot) object(kind, name string) string {
	return fmt.Sprintf("%s %s/%s", kind, s.Namespace, name)
}

// most is how many names are given of many.
const most = 5

// names returns some of many names.
func names(all []string) string {
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Left says how long something lasts.
func Left(d time.Duration) string {
	switch {
	case d <= 0:
		return "no time"
	case d < time.Minute:
		return "less than a minute"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
