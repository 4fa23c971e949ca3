package injector

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTheApplicationIsAskedForWhatTheKubeletWouldAskFor(t *testing.T) {
	for path, want := range map[string]string{
		"":                         "/",
		"/":                        "/",
		"/a/b.c_d~e-f":             "/a/b.c_d~e-f",
		"a":                        "/a",
		"/a/../b//c":               "/a/../b//c",
		"/a?b=c&d=e":               "/a?b=c&d=e",
		"/a?":                      "/a?",
		"/a??b?c":                  "/a??b?c",
		"?b":                       "/?b",
		"/a?b=/c d":                "/a?b=/c d",
		"/a#b":                     "/a",
		"/a?b#c":                   "/a?b",
		"/a%20b%2fc":               "/a%20b%2fc",
		"/a b":                     "/a%20b",
		"/ä":                       "/%C3%A4",
		"/a%zz?b":                  "/a%25zz%3Fb",
		"/a\r\nx-forwarded-for: b": "/a%0D%0Ax-forwarded-for:%20b",
		"/a?b\r\nc":                "/a%3Fb%0D%0Ac",
		":a":                       "/:a",
		"*":                        "/*",
		"//a":                      "/",
		"//a/b":                    "/b",
		"///a":                     "///a",
		"http://a.test:81/b?c":     "/b?c",
		"https://a.test":           "/",
		"a:/b":                     "/b",
		"a:b":                      "", // no host in the request URL
		"mailto:a@b.test":          "",
	} {
		got, err := requestTarget(path)
		if err != nil || got != want {
			t.Errorf("%q: got %q, error %v, want %q", path, got, err, want)
		}
	}
}

func TestAUserInAPathIsRefused(t *testing.T) {
	for _, path := range []string{"http://me:pw@a.test/b", "//me@a/b", "x://:pw@/"} {
		if got, err := requestTarget(path); err == nil {
			t.Errorf("%q: got %q", path, got)
		}
	}
}

// requestLine is what net/http sends for a URL made of a probe's path as the
// kubelet makes it, or an empty string if it sends nothing.
func requestLine(t *testing.T, path string) string {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	u.Scheme, u.Host = "http", "10.0.0.1:8080"
	request, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil || request.URL.Host == "" {
		return ""
	}
	var sent bytes.Buffer
	if err := request.Write(&sent); err != nil {
		return ""
	}
	line, _, found := strings.Cut(sent.String(), "\r\n")
	if !found {
		t.Fatalf("%q: sent %q", path, sent.String())
	}
	return strings.TrimSuffix(strings.TrimPrefix(line, "GET "), " HTTP/1.1")
}

func FuzzRequestTarget(f *testing.F) {
	for _, path := range []string{
		"", "/", "/a?b=c", "a", "//a/b", "///a", "*", ":a", "a:b", "http://u:p@h/x", "/a%zz", "/%2F", "/a b#c", "/a\r\nb", "/ä?ö", "/a?b\x00",
		"http://[::1/a", "//%41/", "/a??", "?",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		target, err := requestTarget(path)
		if err != nil {
			if u, parseErr := url.Parse(path); parseErr != nil || u.User == nil {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		if want := requestLine(t, path); target != want {
			t.Errorf("%q: the sidecar asks for %q, the kubelet would for %q", path, target, want)
		}
		if target != "" && !strings.HasPrefix(target, "/") {
			t.Errorf("%q: %q does not begin with a slash", path, target)
		}
		if utf8.ValidString(path) && strings.ContainsFunc(target, func(r rune) bool { return r < utf8.RuneSelf && unicode.IsControl(r) }) {
			t.Errorf("%q: %q has a control character", path, target)
		}
	})
}
