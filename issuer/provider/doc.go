// Package provider chooses the certificate authority of a mesh, by its
// MeshRootCertificates, and follows it: when another root is to sign, or others
// are trusted, it tells the Manager, and says in their status what came of them.
//
// It owns which authority signs and which are only trusted, and is the one place
// that knows the kinds of them. How each signs is not its business, nor where
// what is trusted gets published.
package provider
