package sidecar

import (
	"strings"
	"testing"
)

func TestARequestWithinAnotherProtocolEndsIt(t *testing.T) {
	const answer, tls = "250 OK\r\n", "\x16\x03\x03\x00\x20\x02"
	cases := []struct {
		name, answer string
		turns        []string
		refused      bool
	}{
		{"a control character before it", answer, []string{"\x01GET / HTTP/1.1\r\n"}, true},
		{"70,000 of them, and the header", answer, []string{strings.Repeat("\x01", 70000) + "GET / HTTP/1.1\r\nX-Forwarded-Client-Cert: a\r\n"}, true},
		{"another line before it", answer, []string{"EHLO me\r\nGET / HTTP/1.1\r\n"}, true},
		{"white space after it", answer, []string{"\x01GET / HTTP/1.1 \t\n"}, true},
		{"after an answer", answer, []string{"EHLO me\r\n", "GET / HTTP/1.1\r\n"}, true},
		{"after an answer and a control character", answer, []string{"EHLO me\r\n", "\x01\xffGET / HTTP/1.1\r\n"}, true},
		{"after an answer, the preface of HTTP/2", answer, []string{"EHLO me\r\n", "NOOP\r\n" + preface}, true},
		{"the header, wherever it is", answer, []string{"EHLO me\r\n", strings.Repeat("x", 5000) + "\r\nX-Forwarded-Client-Cert: a\r\n"}, true},
		{"the header, spelled otherwise", answer, []string{"EHLO me\r\n", "a\nx.forwarded~CLIENT_cert\t:"}, true},
		{"the header after a bare CR", answer, []string{"EHLO me\r\n", "a\rX-Forwarded-Client-Cert:"}, true},
		{"the header, its colon far away", answer, []string{"EHLO me\r\n", "a\nX-Forwarded-Client-Cert" + strings.Repeat(" \t", 4000) + ": a\r\n"}, true},
		{"the header, far from the beginning of its line", answer, []string{"EHLO me\r\n", "a\n" + strings.Repeat(" ", 4000) + "X-Forwarded-Client-Cert: a\r\n"}, true},
		{"the same words far apart", answer, []string{"EHLO me\r\n", "a\nX-Forwarded-Client-Cert" + strings.Repeat(" ", 4000) + "is: a\r\n"}, false},
		{"a version that ends no line", answer, []string{"<34>app: \"GET / HTTP/1.1\" 200\n"}, false},
		{"a mail", answer, []string{"EHLO me\r\n", "DATA\r\n", "Subject: HTTP\r\n\r\nGET / HTTP/1.1\r\n"}, false},
		{"a page in a cache", answer, []string{"*1\r\n$4\r\nPING\r\n", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$16\r\nGET / HTTP/1.1\r\n\r\n"}, false},
		{"the header in JSON", answer, []string{"{\n \"x-forwarded-client-cert\": \"a\"}\n"}, false},
		{"another header", answer, []string{"EHLO me\r\n", "X-Forwarded-Client-Certificate: a\r\n"}, false},
		{"ALPN beside another extension of TLS", answer, []string{"\x16\x03\x01\x01\x00\x01\x08http/1.1\x00\x0d\x00\x08http/1.1\x0a\x0a"}, false},
		{"what FastCGI says of HTTP", answer, []string{"\x0f\x08SERVER_PROTOCOLHTTP/1.1\x0d\x04DOCUMENT_ROOT/www"}, false},
		{"what is encrypted", tls, []string{"\x16\x03\x01", "GET / HTTP/1.1\r\nX-Forwarded-Client-Cert: a\r\n"}, false},
		{"what only looks encrypted", "\x16\x03\x03\x00\x20\x01", []string{"\x16\x03\x01", "GET / HTTP/1.1\r\n"}, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var parts [][]byte
			for _, turn := range tc.turns {
				parts = append(parts, []byte(turn), nil) // the application answers the second
			}
			if got := Watch(parts, []byte(tc.answer)) < len(parts); got != tc.refused {
				t.Errorf("refused: %t", got)
			}
			if got := byBytes(tc.turns, tc.answer); got != tc.refused {
				t.Errorf("byte by byte, refused: %t", got)
			}
		})
	}
}

// byBytes says the turns byte by byte, with an answer after each.
func byBytes(turns []string, answer string) bool {
	var said answers
	w := watch{answers: &said}
	for _, turn := range turns {
		for _, part := range bytewise(turn) {
			w.Reader = strings.NewReader(string(part))
			if _, err := w.Read(make([]byte, 1)); err == errHiddenRequest {
				return true
			}
		}
		said.note([]byte(answer))
	}
	return false
}

func BenchmarkWatch(b *testing.B) {
	for name, content := range map[string]string{"text": strings.Repeat("a line of text: and more of it\r\n", 1024), "binary": strings.Repeat("\x00\x7f:\xffabcd", 4096)} {
		b.Run(name, func(b *testing.B) {
			var said answers
			w := watch{answers: &said, begun: true}
			said.note([]byte("220 hello\r\n"))
			b.SetBytes(int64(len(content)))
			p := make([]byte, len(content))
			for b.Loop() {
				w.Reader = strings.NewReader(content)
				if _, err := w.Read(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
