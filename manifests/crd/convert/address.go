package convert

import (
	"net"
	"net/url"
	"strconv"
)

// Where Vault listens if an object does not say it. osm-edge's chart always says
// the protocol; http, which shows the token to the network, has to be written.
const (
	defaultProtocol = "https"
	defaultPort     = int64(8200)
)

// endpoint are the fields that v1alpha2 has for Vault's address.
func endpoint() []string { return []string{"protocol", "host", "port"} }

// address makes a URL of the fields of v1alpha2.
func address(value any) (any, bool) {
	given, ok := value.(tree)
	if !ok {
		return nil, false
	}
	host, ok := given["host"].(string)
	if !ok || host == "" {
		return nil, false
	}
	protocol, port := defaultProtocol, defaultPort
	if value, has := given["protocol"]; has {
		if protocol, ok = value.(string); !ok {
			return nil, false
		}
	}
	if value, has := given["port"]; has {
		if port, ok = value.(int64); !ok {
			return nil, false
		}
	}
	u := url.URL{Scheme: protocol, Host: net.JoinHostPort(host, strconv.FormatInt(port, 10))}
	_, ok = fields(u.String())
	return u.String(), ok
}

// fields makes the fields of v1alpha2 of a URL. They can't say its path.
func fields(value any) (any, bool) {
	s, _ := value.(string)
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return nil, false
	}
	port, err := strconv.ParseInt(u.Port(), 10, 32)
	if err != nil {
		port = map[string]int64{"http": 80, "https": 443}[u.Scheme]
	}
	return tree{"protocol": u.Scheme, "host": u.Hostname(), "port": port}, true
}
