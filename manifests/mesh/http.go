package mesh

import (
	"slices"
	"strings"
)

// IsHTTP reports whether a TCP port is declared HTTP: by its appProtocol, or, if
// that is not set, by its name. Ports of Services, EndpointSlices and containers
// follow the same convention, which is that of Istio: what counts is the word
// before the first hyphen, so http-admin is HTTP and https is not.
func IsHTTP(appProtocol *string, name string) bool {
	if appProtocol == nil || *appProtocol == "" {
		return isHTTPWord(name)
	}
	// These are names of protocols alone. The prefix is that of KEP-3726.
	protocol := strings.ToLower(*appProtocol)
	cleartext := []string{"h2c", "ws"}
	return slices.Contains(cleartext, strings.TrimPrefix(protocol, "kubernetes.io/")) || isHTTPWord(protocol)
}

func isHTTPWord(name string) bool {
	word, _, _ := strings.Cut(strings.ToLower(name), "-")
	return word == "http" || word == "http2" || word == "grpc"
}
