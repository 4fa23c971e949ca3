package issuer

import (
	"fmt"
	"strings"
)

// KeyAlgorithm is the kind and size of a private key.
type KeyAlgorithm string

// The key algorithms that can be chosen.
const (
	ECDSAP256 KeyAlgorithm = "ecdsa-p256"
	RSA2048   KeyAlgorithm = "rsa-2048"
	RSA3072   KeyAlgorithm = "rsa-3072"
	RSA4096   KeyAlgorithm = "rsa-4096"
	Ed25519   KeyAlgorithm = "ed25519"
)

// DefaultKeyAlgorithm makes a key in 15 µs where RSA takes 100 ms, and every
// sidecar and client of the mesh speaks it.
const DefaultKeyAlgorithm = ECDSAP256

var keyAlgorithms = [...]KeyAlgorithm{ECDSAP256, RSA2048, RSA3072, RSA4096, Ed25519}

// ParseKeyAlgorithm reads a key algorithm's name; the error lists those there are.
func ParseKeyAlgorithm(name string) (KeyAlgorithm, error) {
	names := make([]string, 0, len(keyAlgorithms))
	for _, a := range keyAlgorithms {
		if string(a) == name {
			return a, nil
		}
		names = append(names, string(a))
	}
	return "", fmt.Errorf("key algorithm %q is not one of %s", name, strings.Join(names, ", "))
}
