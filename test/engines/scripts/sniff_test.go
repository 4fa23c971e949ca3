package scripts

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/sidecar"
)

// sniffed runs an expression over bytes, which it knows as b.
func (f functions) sniffed(t *testing.T, expression string, b []byte) string {
	t.Helper()
	list := make([]int, len(b))
	for i, c := range b {
		list[i] = int(c)
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return f.eval(t, "(function (b) { return "+expression+" })("+string(encoded)+")")
}

// pieces cuts what is said where the bytes of cut say.
func pieces(said, cut []byte) (parts [][]byte) {
	for _, c := range cut {
		n := min(int(c), len(said))
		parts, said = append(parts, said[:n]), said[n:]
	}
	return append(parts, said)
}

// FuzzSniff has the scripts and the reference sidecar look at the same first
// bytes.
func FuzzSniff(f *testing.F) {
	for _, begin := range openings {
		f.Add([]byte(begin))
	}
	scripts := load(f)
	f.Fuzz(func(t *testing.T, begin []byte) {
		if len(begin) < len(http2Preface) && bytes.HasPrefix([]byte(http2Preface), begin) {
			return // the scripts wait for all of it
		}
		want := map[string]string{"http": "http", "other": "opaque", "undecided": "null"}[sidecar.Recognise(begin)]
		if got := scripts.sniffed(t, `(scripts.sniff.sniff(b) || 'null').replace(/^http.$/, 'http')`, begin); got != `"`+want+`"` {
			t.Errorf("%q: the scripts say %s, the reference sidecar %s", begin, got, want)
		}
		got := scripts.sniffed(t, `(function (b) {
			var s = scripts.sniff.sniffer(), kind = null
			b.forEach(function (c) { kind = kind || s.take(new Data([c])) })
			return (kind || 'null').replace(/^http.$/, 'http')
		})(b)`, begin)
		if isLong := len(begin) > 64 && bytes.IndexByte(begin, '\n') < 0; got != `"`+want+`"` && !(isLong && got == `"null"`) {
			t.Errorf("%q, byte by byte: the scripts say %s, the reference sidecar %s", begin, got, want)
		}
	})
}

// FuzzStrict has both read what comes to a port that is declared HTTP.
func FuzzStrict(f *testing.F) {
	for _, begin := range openings {
		f.Add([]byte(begin), []byte{})
		f.Add([]byte(begin), []byte{1, 7, 20})
	}
	scripts := load(f)
	f.Fuzz(func(t *testing.T, said, cut []byte) {
		parts := pieces(said, cut[:min(len(cut), 8)])
		want, ok := sidecar.ReadStrictly(parts)
		if !ok {
			want = nil
		}
		list := partsOf(t, parts)
		got := scripts.eval(t, `(function (parts) {
			var s = scripts.strict.default(), all = []
			try { parts.forEach(function (b) { all = all.concat(s.take(new Data(b)).toArray()) }) } catch (e) { if (e instanceof Error) throw e; return null }
			return all
		})(`+list+`)`)
		if !ok && got != "null" || ok && got != listOf(t, want) {
			t.Errorf("%q: the scripts let %s through, the reference sidecar %q, %t", parts, got, want, ok)
		}
	})
}

// FuzzWatch has both watch a connection that is not HTTP. The application answers
// after the pieces whose number is odd.
func FuzzWatch(f *testing.F) {
	for _, begin := range openings {
		f.Add([]byte(begin), []byte{}, []byte("220 hello\r\n"))
		f.Add([]byte("EHLO me\r\n"+begin), []byte{3, 6, 9}, []byte("x"))
		f.Add([]byte(begin), []byte{1, 1, 20}, []byte("\x16\x03\x03\x00\x10\x02"))
	}
	far := "a\nX-Forwarded-Client-Cert" + strings.Repeat(" \t", 200)
	f.Add([]byte("EHLO me\r\n"+far+": a\r\n"), []byte{9, 40, 200}, []byte("x"))
	f.Add([]byte("EHLO me\r\nPRI  * HTTP/2.0\r\n\r\nSM\r\n\r\n"), []byte{9, 4, 1}, []byte("x"))
	scripts := load(f)
	f.Fuzz(func(t *testing.T, said, cut, answer []byte) {
		parts := pieces(said, cut[:min(len(cut), 8)])
		want := sidecar.Watch(parts, answer)
		got := scripts.eval(t, `(function (parts, answer) {
			var w = scripts.watch.default()
			for (var i = 0; i < parts.length; i++) {
				if (w.said(new Data(parts[i]))) return i
				if (i % 2 === 1) w.answered(new Data(answer))
			}
			return parts.length
		})(`+partsOf(t, parts)+`, `+listOf(t, answer)+`)`)
		if text, err := json.Marshal(want); err != nil || got != string(text) {
			t.Errorf("%q, answered with %q: the scripts end it at piece %s, the reference sidecar at %d", parts, answer, got, want)
		}
	})
}

func listOf(t *testing.T, b []byte) string {
	t.Helper()
	list := make([]int, len(b))
	for i, c := range b {
		list[i] = int(c)
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func partsOf(t *testing.T, parts [][]byte) string {
	t.Helper()
	list := "["
	for i, part := range parts {
		if i > 0 {
			list += ","
		}
		list += listOf(t, part)
	}
	return list + "]"
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// openings are what connections begin with.
var openings = []string{
	"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: x\r\nUPGRADE:\tspdy/3\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", http2Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
	"\x01GET / HTTP/1.1\r\nX-Forwarded-Client-Cert: a\r\n\r\n", "\x00\x00GET / HTTP/1.1\r\n", "\r\n\r\nGET / HTTP/1.1\r\n", "\xef\xbb\xbfGET / HTTP/1.1\r\n",
	"\x16\x03\x01\x00\x10GET / HTTP/1.1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET / HTTP/1.1\r\n", "get / http/1.0 \r\n", "GET /\r\nx_forwarded.client~cert: a\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na",
	"GET / HTTP/1.1\r\nHost: a\r\nA: \xff\x7f\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: \xffb\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\xff HTTP/1.1\r\n",
	"EHLO me\r\n", "*1\r\n$4\r\nPING\r\n", "SSH-2.0-a\r\n", "A \x00\x00", "\x85\xa0X: y\r\n", "-x!forwarded\"client\tcert : a\r\n", `{"x-forwarded-client-cert": "a"}`,
	"\x16\x03\x01\x01\x00\x01\x08http/1.1\x00\x0d\x00", "NOOP\r\nGET / HTTP/1.1\r\n",
}
