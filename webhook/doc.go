// Package webhook is what every webhook of the mesh stands on: an HTTPS server
// that the Kubernetes API server calls (Server), its certificate, swapped
// without a restart (SecretSource), the trust that the API server needs to
// call it (CABundles), and the two answers that belong to no other part: the
// validation of the mesh's own objects (Validator) and their conversion
// (NewConverter).
//
// It must not know what an admission handler decides about pods, nor how a
// certificate is issued: handlers and certificates come in from outside.
package webhook
