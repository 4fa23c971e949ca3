package v1

import (
	"net"
	"net/url"
	"strings"
)

// SameEndpoint reports whether two URLs of Vault are of the same scheme, host and
// port: a login that may be sent to the one may be sent to the other.
func SameEndpoint(a, b string) bool {
	first, ok := endpoint(a)
	second, same := endpoint(b)
	return ok && same && first == second
}

func endpoint(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if port == "" {
		return "", false
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port), true
}
