// Package sidecar is the reference sidecar: what the mesh's sidecar does with
// its identity, in Go. It reads the same bootstrap config as Pipy, proves who it
// is with the pod's service account token, gets certificate and trust bundle
// over SDS, and terminates and originates mutual TLS with them. What the kernel
// leads to it goes on by mutual TLS unseen by either application; what it is
// asked for by name, without interception, goes where the request says.
//
// It stands in for Pipy where that cannot be had, and is the client of tests and
// demos. What it must not know is how the control plane comes to its answers.
package sidecar
