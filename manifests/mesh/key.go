package mesh

// KeyAlgorithm is the kind and size of the keys of service certificates, as the
// chart's values, a flag and a MeshConfig name it.
type KeyAlgorithm string

// The key algorithms that can be chosen.
const (
	ECDSAP256 KeyAlgorithm = "ecdsa-p256"
	RSA2048   KeyAlgorithm = "rsa-2048"
	RSA3072   KeyAlgorithm = "rsa-3072"
	RSA4096   KeyAlgorithm = "rsa-4096"
	Ed25519   KeyAlgorithm = "ed25519"
)

// KeyAlgorithms returns those that can be chosen.
func KeyAlgorithms() []KeyAlgorithm {
	return []KeyAlgorithm{ECDSAP256, RSA2048, RSA3072, RSA4096, Ed25519}
}
