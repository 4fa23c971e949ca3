// Package issuer turns identities into certificates and keeps them fresh.
//
// [identity.Identity], [Certificate] and [trustbundle.TrustBundle] are the values; [Issuer] is the
// contract that every certificate authority fulfils; [Manager] holds one
// certificate for each service account in use, renews it in time
// and updates every [Subscription]. While an issuer fails it is spared, and
// [Health] says so.
//
// The package knows nothing of Kubernetes objects, of SDS, or of any one
// certificate authority. Private keys are made in request.go and nowhere else.
package issuer
