// Package check tells what is wrong with a mesh, and how to fix it, from a
// Snapshot of its objects. It calls no server: the caller has fetched them.
// What it says never repeats a key or a token.
package check
