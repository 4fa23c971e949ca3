package sidecar

import (
	"strings"
	"testing"
)

func TestWhatIsNotStrictlyHTTPDoesNotComeThrough(t *testing.T) {
	const host = "Host: a\r\n"
	cases := []struct{ name, said, want string }{
		{"a request", "GET / HTTP/1.1\r\n" + host + "\r\n", "GET / HTTP/1.1\r\n" + host + "\r\n"},
		{"half a request", "GET / HTTP/1.1\r\n" + host, ""},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"},
		{"HTTP/2", preface + "\x00", preface + "\x00"},
		{"half a preface", preface[:20], ""},
		{"a body and another request", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n", "refused"},
		{"a body in chunks", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
		{"a value beyond ASCII", "GET / HTTP/1.1\r\nHost: a\r\nA: \xe4\t\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: \xe4\t\r\n\r\n"},
		{"a byte before it", "\x01GET / HTTP/1.1\r\n" + host + "\r\n", "refused"},
		{"an empty line before it", "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", "refused"},
		{"LF alone", "GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", "refused"},
		{"CR alone", "GET / HTTP/1.1\r\nHost: a\rA: b\r\n\r\n", "refused"},
		{"a folded line", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "refused"},
		{"white space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "refused"},
		{"other white space", "GET\t/ HTTP/1.1\r\n" + host + "\r\n", "refused"},
		{"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n", "refused"},
		{"another version", "GET / HTTP/1.2\r\n" + host + "\r\n", "refused"},
		{"half of HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "refused"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "refused"},
		{"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", "refused"},
		{"two lengths", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\ncontent-length: 0\r\n\r\n", "refused"},
		{"a length beside a coding", "GET / HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "refused"},
		{"another coding", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", "refused"},
		{"a length with a sign", "GET / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\n", "refused"},
		{"a chunk with an extension", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;a\r\nb\r\n0\r\n\r\n", "refused"},
		{"a chunk that is longer than its size", "GET / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "refused"},
		{"a HEAD with content", "HEAD / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\n", "refused"},
		{"a head without an end", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", maxHead), "refused"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			for what, parts := range map[string][][]byte{"at once": {[]byte(tc.said)}, "byte by byte": bytewise(tc.said)} {
				got, ok := ReadStrictly(parts)
				if ok == (tc.want == "refused") || ok && string(got) != tc.want {
					t.Errorf("%s: %t, %q, want %q", what, ok, got, tc.want)
				}
			}
		})
	}
}

func bytewise(said string) (parts [][]byte) {
	for i := range len(said) {
		parts = append(parts, []byte(said[i:i+1]))
	}
	return parts
}
