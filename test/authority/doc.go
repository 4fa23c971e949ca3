// Package authority sets up certificate authorities for a mesh, as its operator does before it is installed: a Vault beside
// the cluster, or cert-manager in it. Both are real.
//
// It knows the names and values that the guide and the chart give them, and not what the mesh makes of those.
package authority
