package main

import "k8s.io/apimachinery/pkg/runtime/schema"

// kind is one that a mesh consists of.
type kind struct {
	schema.GroupVersionResource
	name   string
	global bool // of the cluster, not of a namespace
}

func core(resource, name string) kind {
	return kind{schema.GroupVersionResource{Version: "v1", Resource: resource}, name, false}
}

func namespaced(group, version, resource, name string) kind {
	return kind{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, name, false}
}

func global(group, resource, name string) kind {
	return kind{schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}, name, true}
}

const rbac = "rbac.authorization.k8s.io"

var (
	secrets      = core("secrets", "Secret")
	configMaps   = core("configmaps", "ConfigMap")
	namespaces   = global("", "namespaces", "Namespace")
	definitions  = global("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition")
	roleBindings = namespaced(rbac, "v1", "rolebindings", "RoleBinding")

	// stages are the kinds of a control plane, in the order in which they go: a
	// webhook that answers no more would keep the rest from being deleted, and what
	// still runs needs its rights.
	stages = [][]kind{
		{
			global("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
			global("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
		},
		{
			namespaced("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
			namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
			namespaced("apps", "v1", "deployments", "Deployment"),
		},
		{
			core("services", "Service"), namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
			namespaced("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"), namespaced("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"),
			roleBindings, namespaced(rbac, "v1", "roles", "Role"),
			global(rbac, "clusterrolebindings", "ClusterRoleBinding"), global(rbac, "clusterroles", "ClusterRole"),
			core("serviceaccounts", "ServiceAccount"), configMaps, secrets,
		},
	}
	// own are the mesh's own kinds. Their objects count in the mesh namespace,
	// whatever made them.
	own = []kind{
		namespaced(configGroup, "v1", "meshrootcertificates", "MeshRootCertificate"),
		namespaced(configGroup, "v1", "meshconfigs", "MeshConfig"),
	}
	// knowledge is what else a mesh knows and has made.
	knowledge = []kind{namespaced("coordination.k8s.io", "v1", "leases", "Lease"), secrets, configMaps, definitions}
)

// ofTheChart are the objects of the chart among the kinds that the mesh makes
// objects of itself.
var ofTheChart = []string{"osm-preset", "osm-dashboard", "osm-vault-token"}
