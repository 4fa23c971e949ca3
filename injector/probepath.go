package injector

import (
	"errors"
	"net/url"
	"strings"
)

// requestTarget is what the kubelet asks for, path and query, when a probe has
// this path. It begins with a slash, or is empty if the kubelet fails before it
// asks. The kubelet takes the path for a reference of which it replaces scheme
// and host, and for a plain path if it isn't one (Kubernetes 1.37, formatURL in
// pkg/probe/http/request.go): the fragment goes, what needs it is escaped,
// nothing is cleaned.
//
// A user within such a reference becomes a header Authorization in the kubelet,
// which the sidecar's path can't make it send.
func requestTarget(path string) (string, error) {
	if isPlain(path) {
		return path, nil
	}
	reference, err := url.Parse(path)
	if err != nil {
		reference = &url.URL{Path: path}
	}
	if reference.User != nil {
		return "", errors.New("names a user: give it as the header Authorization in httpHeaders")
	}
	reference.Scheme, reference.Host = "http", "pod"
	request, err := url.Parse(reference.String())
	if err != nil || request.Host == "" {
		return "", nil
	}
	return request.RequestURI(), nil
}

// isPlain tells paths that are asked for as they are. It spares most probes
// their parsing.
func isPlain(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	for _, c := range []byte(path) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-._~?=&", c) >= 0:
		default:
			return false
		}
	}
	return true
}
