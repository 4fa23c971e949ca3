// Package cluster runs a real Kubernetes for tests and demonstrations: etcd, API server, controllers and scheduler, built
// once from Go modules and run as plain processes. It owns those processes, their keys and their directory, and leaves
// nothing behind, whatever ends the process that started them. It knows Kubernetes and nothing of the mesh that is tested on it.
package cluster
