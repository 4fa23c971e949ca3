// Package mesh has the rules that several parts of the mesh apply to objects of
// Kubernetes, and that have to be the same for all of them. It imports no other
// package of the module, and every package may use it.
package mesh
