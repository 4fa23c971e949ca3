package check

import (
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

func hintsOfTheControlPlane() []hint {
	const component, crd = "Deployment mesh-east/osm-controller", "CustomResourceDefinition meshrootcertificates.config.openservicemesh.io"
	gone := func(w *world) { delete(w.Deployments, "osm-controller") }
	unmanaged := func(w *world) {
		for _, d := range w.Deployments {
			d.Annotations = nil
		}
	}
	applied := func(w *world) { w.chart() }
	other := func(w *world) {
		w.Meshes, w.Others = append(w.Meshes, "west"), []Other{{"west", "mesh-west"}}
	}
	return []hint{
		{"a component is gone", "controlPlane: it does not exist", component, "osm upgrade --mesh-name east --osm-namespace mesh-east", gone, nil},
		{"a component of what is no release is gone", "controlPlane: it does not exist", component, "it is no Helm release", both(unmanaged, gone), applied},
		{"a component of another release is gone", "controlPlane: it does not exist", component, "helm upgrade --reuse-values shop -n shops, with its chart", both(func(w *world) {
			for _, d := range w.Deployments {
				d.Annotations = map[string]string{releaseName: "shop", releaseNamespace: "shops"}
			}
		}, gone), nil},
		{"a component that Argo CD manages is gone", "controlPlane: it does not exist", component, "Argo CD's Application east: change its version or values there",
			both(func(w *world) { w.Keeper = "Argo CD's Application east: change its version or values there" }, gone), applied},
		{"a component is scaled to nothing", "deployment: it is scaled to no replica", component, "", scaledAway("osm-controller"), nil},
		{"no replica is ready", "deployment: none of %s is available%s", component, "-l app=osm-controller", available(0), available(2)},
		{"one replica is ready", "deployment: %d of %s available%s", component, "-l app=osm-controller", available(1), available(2)},
		{"components are of several versions", "versions: its components are of different versions: %s", "Namespace mesh-east", "",
			func(w *world) { w.Deployments["osm-injector"].Labels[versionLabel] = "0.0.1" }, nil},
		{"a replica is not ready", "controlPlane: it is not ready: %s", "Pod mesh-east/osm-injector-1", "kubectl logs -n mesh-east osm-injector-1",
			func(w *world) { w.Replicas = []Replica{{Pod: "osm-injector-1", NotReady: "its caches are empty"}} }, func(w *world) { w.Replicas = nil }},
		{"none leads", "leader: no osm-controller leads: roots are not replaced, and no status is written", "Lease mesh-east/osm-controller", "",
			func(w *world) { w.Lease.Spec.HolderIdentity = new("") }, func(w *world) { w.follow() }},
		{"the one that leads hangs", "leader: %s holds it and has not renewed it for %s: roots are not replaced, and no status is written", "Lease mesh-east/osm-controller", "",
			lease(time.Minute, time.Minute), func(w *world) { w.follow() }},
		{"the clock of the one that leads is behind", "leader: its clock is %s behind the API server's", "Pod mesh-east/osm-controller-1", "set the clock of its node",
			lease(time.Minute, time.Second), lease(time.Second, time.Second)},
		{"the clock of the one that leads is ahead", "leader: its clock is %s ahead of the API server's", "Pod mesh-east/osm-controller-1", "set the clock of its node",
			lease(-time.Minute, time.Second), lease(time.Second, time.Second)},
		{"a right is gone", "permissions: it may not: %s", "ServiceAccount mesh-east/osm-injector", "", func(w *world) { w.Rights[0].Allowed = false }, nil},

		{"a definition is gone", "compareDefinition: it does not exist", crd, "", func(w *world) { delete(w.Definitions, crd[len("CustomResourceDefinition "):]) }, nil},
		{"a definition is gone, and osm-bootstrap is scaled to nothing", "compareDefinition: it does not exist", crd, "kubectl scale deployment/osm-bootstrap -n mesh-east --replicas=1",
			both(func(w *world) { delete(w.Definitions, crd[len("CustomResourceDefinition "):]) }, scaledAway("osm-bootstrap")), nil},
		{"a definition is being deleted", "compareDefinition: it is being deleted, with all of its objects", crd, "remove the finalizers",
			definition(func(d *apiextensionsv1.CustomResourceDefinition) { d.DeletionTimestamp = &metav1.Time{} }), redefined},
		{"another has a definition's names", "compareDefinition: its names are those of another definition: %s", crd, "delete the other definition", condition(apiextensionsv1.NamesAccepted), redefined},
		{"a definition is not established", "compareDefinition: it is not established: %s", crd, "", condition(apiextensionsv1.Established), nil},
		{"a definition lacks a version", "compareDefinition: it has no version %s", crd, "",
			definition(func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions = d.Spec.Versions[:1] }), nil},
		{"a version is not served", "compareDefinition: its version %s is not served", crd, "",
			definition(func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Served = false }), nil},
		{"another version is stored", "compareDefinition: it stores another version than %s", crd, "",
			definition(func(d *apiextensionsv1.CustomResourceDefinition) {
				for i := range d.Spec.Versions {
					d.Spec.Versions[i].Storage = !d.Spec.Versions[i].Storage
				}
			}), nil},
		{"there are two meshes", "definitions: meshes %s share the definitions and set their conversion webhook in turns", "Cluster", "--mesh-name west --osm-namespace mesh-west", other, nil},
		{"there are two meshes of a name", "definitions: meshes %s share the definitions and set their conversion webhook in turns", "Cluster", "osm uninstall mesh --mesh-name east --osm-namespace mesh-west",
			func(w *world) { w.Others = []Other{{walkMesh, "mesh-west"}} }, nil},

		{"there is no MeshConfig", "configuration: it does not exist: the mesh keeps to what it was installed with", "MeshConfig mesh-east/osm-mesh-config", "", func(w *world) { w.MeshConfig = nil }, nil},
		{"a MeshConfig is new", "configuration: osm-controller has not taken notice of it yet", "MeshConfig mesh-east/osm-mesh-config", "",
			func(w *world) { w.MeshConfig.Generation = 2 }, func(w *world) { w.MeshConfig.Status.ObservedGeneration = 2 }},
		{"a MeshConfig is invalid", "configuration: what another says", "MeshConfig mesh-east/osm-mesh-config", "kubectl edit meshconfig osm-mesh-config -n mesh-east",
			func(w *world) {
				w.MeshConfig.Status.Conditions = []metav1.Condition{{Type: v1.ConditionReady, Status: metav1.ConditionFalse, Message: "spec.sidecar.image: not an image"}}
			}, func(w *world) { w.MeshConfig = nil; w.bootstrap() }},

		{"the clock is far off", "clocks: %s: certificates that are made by one are not valid yet, or any more, for the other", "API server", "timedatectl",
			func(w *world) { w.ServerTime = w.Now.Add(-time.Hour) }, func(w *world) { w.ServerTime = w.Now }},
		{"the clock is off", "clocks: %s; certificates forgive %s", "API server", "timedatectl",
			func(w *world) { w.ServerTime = w.Now.Add(2 * time.Minute) }, func(w *world) { w.ServerTime = w.Now }},

		{"a namespace belongs to a mesh that is not there", "namespaces: label %s names mesh %q, which is not there", "Namespace shop", "mesh east", namespace("shop", map[string]string{monitoredByLabel: "esat"}, nil), nil},
		{"a namespace belongs to a mesh without a name", "namespaces: label %s names mesh %q, which is not there", "Namespace shop", "mesh east", namespace("shop", map[string]string{monitoredByLabel: ""}, nil), nil},
		{"kube-system is labelled", "namespaces: its label %s has no effect: the mesh leaves this namespace alone", "Namespace kube-system", "", namespace("kube-system", map[string]string{monitoredByLabel: walkMesh}, nil), nil},
		{"kube-system is labelled for a mesh that is not there", "namespaces: its label %s has no effect: the mesh leaves this namespace alone", "Namespace kube-system", "", namespace("kube-system", map[string]string{monitoredByLabel: "esat"}, nil), nil},
		{"a namespace is labelled twice", "namespaces: it is labelled for the mesh and to be ignored, so it is ignored", "Namespace shop", "", namespace("shop", map[string]string{monitoredByLabel: walkMesh, ignoreLabel: ""}, nil), nil},
		{"a namespace has another annotation", "namespaces: annotation %s is %q, neither enabled nor disabled: its pods are refused", "Namespace shop", "",
			namespace("shop", map[string]string{monitoredByLabel: walkMesh}, map[string]string{injectionAnnotation: "on"}), nil},
		{"osm-edge has left keys", "namespaces: %s of osm-edge with the keys of its sidecars, which this mesh does not use: %s", "Namespace books", "",
			func(w *world) { w.Leftovers["books"] = []string{"sidecar-bootstrap-config-1"} }, nil},

		{"pods are older than the mesh", "pods: %s without a sidecar, for they were there before the namespace joined the mesh, or no webhook was called: %s", "Namespace books", "deployment/seller",
			pod(Pod{Namespace: "books", Name: "seller", Workload: "deployment/seller"}), nil},
		{"pods that nothing creates are older, too", "pods: %s without a sidecar, for they were there before the namespace joined the mesh, or no webhook was called: %s", "Namespace books", "create again those that nothing creates",
			both(pod(Pod{Namespace: "books", Name: "seller", Workload: "deployment/seller"}), pod(Pod{Namespace: "books", Name: "one"}), pod(Pod{Namespace: "books", Name: "two"})), nil},
		{"a sidecar does not work", "pods: %s whose sidecar is not ready: %s: %s", "Namespace books", "kubectl logs -n books seller -c sidecar",
			pod(Pod{Namespace: "books", Name: "seller", Sidecar: true, NotReady: "it does not run"}), withoutPods},
		{"a port is HTTP", "ports: port %d is HTTP, but nothing declares it to its sidecar: %s. Do not rely on x-forwarded-client-cert on this port", "Deployment books/seller", `http-port-list: "8080"`,
			pod(Pod{Namespace: "books", Name: "seller", Workload: "deployment/seller", Sidecar: true, Ports: []Port{{Number: 8080, HTTP: []string{"a probe asks it"}}}}), withoutPods},
		{"a port is HTTP, and the pod is older than that", "ports: port %d is HTTP, but nothing declares it to its sidecar: %s. Do not rely on x-forwarded-client-cert on this port", "Deployment books/seller", "",
			pod(Pod{Namespace: "books", Name: "seller", Workload: "deployment/seller", Sidecar: true, Ports: []Port{{Number: 8080, Named: true, HTTP: []string{"the pod declares it"}}}}), nil},
		{"a Secret for images is missing", "registries: it does not exist: the mesh's images are pulled with it, and pods have Secrets of their own namespace only", "Secret books/registry", "",
			pulled, func(w *world) { w.Pulling = map[string][]string{"registry": {"books"}} }},
		{"pods name no Secret for images", "registries: %s without Secret %s among its imagePullSecrets, with which the sidecar's image is pulled: %s", "Namespace books", "for each service account",
			pulled, func(w *world) { w.Pods[0].PullSecrets = []string{"registry"} }},

		{"workloads may not be looked at", "workloads: whether pods can be created is not known: %s", "Mesh east", "have it run by an account", func(w *world) { w.StuckUnknown = "forbidden" }, func(w *world) { w.StuckUnknown = "" }},
		{"pods are refused", "workloads: its pods cannot be created: %s", "Deployment books/seller", "kubectl edit -n books deployment seller",
			refusedPods("Deployment", `admission webhook "osm-inject.k8s.io" denied the request: pod books/seller-*: container osm-init: the mesh adds one of this name: rename it`), func(w *world) { w.Stuck = nil }},
		{"pods of a Job are refused", "workloads: its pods cannot be created: %s", "Job books/seller", "where the Job comes from",
			refusedPods("Job", `admission webhook "osm-inject.k8s.io" denied the request: pod books/seller-*: container osm-init: the mesh adds one of this name: rename it`), nil},
		{"pods are refused for their namespace", "workloads: its pods cannot be created: %s", "Deployment books/seller", "",
			refusedPods("Deployment", `admission webhook "osm-inject.k8s.io" denied the request: namespace books: annotation openservicemesh.io/metrics is "on": set it to enabled`), nil},
	}
}

func refusedPods(kind, reason string) func(*world) {
	return func(w *world) { w.Stuck = []Stuck{{kind, "books", "seller", reason}} }
}
