package sidecar

import (
	"strings"
	"testing"
)

func TestFirstBytesAreRecognised(t *testing.T) {
	cases := []struct {
		name, begin string
		want        protocol
	}{
		{"nothing yet", "", undecided},
		{"half a method", "GE", undecided},
		{"half a request line", "GET /index.html HTT", undecided},
		{"a version", "GET / HTTP/", hypertext},
		{"a request line", "GET / HTTP/1.1\r\n", hypertext},
		{"an unknown method", "BREW / HTTP/1.1\n", hypertext},
		{"a version in small letters", "get / http/1.1\r\n", hypertext},
		{"empty lines before it", "\r\n\n GET / HTTP/1.0\r\n", hypertext},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", hypertext},
		{"HTTP/0.9", "GET /\r\n", hypertext},
		{"HTTP/0.9 with other white space", "GET\t/\n", hypertext},
		{"a request line without an end", "X" + strings.Repeat(" ", maxRequestLine), hypertext},
		{"white space without an end", strings.Repeat("\r\n", maxRequestLine/2), hypertext},
		{"half a request line with control characters", "GET /\x00\x01", undecided},
		{"half a request line with white space of Latin-1", "GET\xa0/", undecided},
		{"a number that looks like a method", "A \x00\x00", undecided},
		{"TLS", "\x16\x03\x01", other},
		{"Redis", "*1\r\n$4\r\nPING\r\n", other},
		{"memcached", "get key\r\n", other},
		{"SMTP", "EHLO buyer\r\n", other},
		{"SSH", "SSH-2.0-OpenSSH_10.0\r\n", other},
		{"AMQP", "AMQP\x00\x00\x09\x01", other},
		{"MQTT", "\x10\x0c\x00\x04MQTT", other},
		{"PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", other},
		{"MongoDB with a length that looks like a letter", "A\x00\x00\x00", other},
		{"RTSP", "OPTIONS rtsp://store/ RTSP/1.0\r\n", other},
		{"STOMP", "CONNECT\naccept-version:1.2\n", other},
		{"HTTP later on", "PUB x\r\nGET / HTTP/1.1\r\n", other},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := recognise([]byte(tc.begin)); got != tc.want {
				t.Errorf("%d, want %d", got, tc.want)
			}
		})
	}
}

// FuzzRecognise holds to what carry relies on: more bytes change no decision.
func FuzzRecognise(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"), []byte("x"))
	f.Add([]byte("hello"), []byte(" world\n"))
	f.Fuzz(func(t *testing.T, begin, more []byte) {
		before, after := recognise(begin), recognise(append(begin, more...))
		if before != undecided && after != before && len(begin)+len(more) < maxRequestLine {
			t.Errorf("%q is %d, with %q %d", begin, before, more, after)
		}
	})
}
