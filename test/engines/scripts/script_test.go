// Package scripts runs the functions of the sidecar's scripts without a Pipy.
package scripts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"

	"github.com/osm-edge/osm/injector/pipy"
)

// source has the scripts.
const source = "../../../injector/pipy"

// bundle makes one script of those that the entry imports.
func bundle(t testing.TB, entry string) string {
	t.Helper()
	result := api.Build(api.BuildOptions{
		Stdin:      &api.StdinOptions{Contents: entry, ResolveDir: source, Sourcefile: "entry.js"},
		Bundle:     true,
		Format:     api.FormatIIFE,
		GlobalName: "scripts",
		Target:     api.ES2015,
		LogLevel:   api.LogLevelSilent,
	})
	for _, problem := range append(result.Errors, result.Warnings...) {
		t.Errorf("%s at %+v", problem.Text, problem.Location)
	}
	if t.Failed() {
		t.FailNow()
	}
	return string(result.OutputFiles[0].Contents)
}

func TestScriptsAreWellFormedAndFindEachOther(t *testing.T) {
	all := bundle(t, `import "./main.js"`)
	for name, content := range pipy.Scripts() {
		if strings.Contains(content, "\t") {
			t.Errorf("%s: a tab", name)
		}
		if name != "main.js" && !strings.Contains(all, "// "+source+"/"+name) {
			t.Errorf("%s: main.js does not need it", name)
		}
	}
}

// TestScriptsKeepToTheDialectOfPipy is for what Pipy's parser does not take,
// and for its reserved words.
func TestScriptsKeepToTheDialectOfPipy(t *testing.T) {
	quoted := regexp.MustCompile(`'(\\.|[^'\\\n])*'|"(\\.|[^"\\\n])*"|(^|\s)//[^\n]*`)
	imports := regexp.MustCompile(`(?m)^import .*$`)
	forbidden := regexp.MustCompile(`\b(let|const|class|while|do|continue|async|await|yield|with|from|as|package|interface|implements|static|public|private|protected|this|super|extends)\b|\.\.\.\w+\)|[=(,:]\s*/[^/*]`)
	for name, content := range pipy.Scripts() {
		code := imports.ReplaceAllString(quoted.ReplaceAllString(content, "$3''"), "")
		for i, line := range strings.Split(code, "\n") {
			if found := forbidden.FindString(line); found != "" {
				t.Errorf("%s:%d: %q", name, i+1, found)
			}
		}
	}
}

// functions are those of the scripts, without Pipy.
type functions struct{ vm *goja.Runtime }

func load(t testing.TB) functions {
	t.Helper()
	standins, err := os.ReadFile("testdata/standins.js")
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	for name, f := range map[string]any{
		"decodeBase64": func(text string) []any {
			der, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Error(err)
			}
			var list []any
			for _, b := range der {
				list = append(list, int(b))
			}
			return list
		},
		"encodeBase64": func(list []int) string {
			var der []byte
			for _, b := range list {
				der = append(der, byte(b))
			}
			return base64.StdEncoding.EncodeToString(der)
		},
	} {
		if err := vm.Set(name, f); err != nil {
			t.Fatal(err)
		}
	}
	var entry strings.Builder
	for _, name := range []string{"address", "spiffe", "x509", "xds", "grpc", "origin", "sniff", "strict", "watch", "lines", "declared", "undeclared", "admin", "identify", "probes", "revocation"} {
		entry.WriteString("export * as " + name + " from './" + name + ".js'\n")
	}
	for _, script := range []string{string(standins), bundle(t, entry.String()), "function codes(s) { return s.split('').map(function (c) { return c.charCodeAt(0) }) }"} {
		if _, err := vm.RunString(script); err != nil {
			t.Fatal(err)
		}
	}
	return functions{vm}
}

func (f functions) eval(t testing.TB, expression string) string {
	t.Helper()
	v, err := f.vm.RunString("(function () { try { return JSON.stringify(" + expression + ") } catch (e) { return 'throws ' + e } })()")
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v.String()
}

func TestFunctionsOfTheScripts(t *testing.T) {
	f := load(t)
	cases := []struct{ name, expression, want string }{
		{"host and port", `scripts.address.split('shop:8080')`, `{"host":"shop","port":8080}`},
		{"an IPv6 address and port", `scripts.address.split('[fd00::1]:80')`, `{"host":"fd00::1","port":80}`},
		{"a port alone", `scripts.address.split(':15003')`, `{"host":"","port":15003}`},
		{"a host without a port", `scripts.address.split('shop', 80)`, `{"host":"shop","port":80}`},
		{"an IPv6 address without a port", `scripts.address.split('[::1]', 443)`, `{"host":"::1","port":443}`},
		{"a port that is none", `scripts.address.split('shop:x')`, `null`},
		{"a port that is too large", `scripts.address.split('shop:65536')`, `null`},
		{"port 0", `scripts.address.split('shop:0')`, `null`},
		{"joined", `[scripts.address.join('10.0.0.1', 80), scripts.address.join('::1', 80)]`, `["10.0.0.1:80","[::1]:80"]`},
		{"as RFC 5952 has it", `['10.0.0.1', 'fd00:0:0:0:0:0:0:2', '0:0:0:0:0:0:0:1', 'fd00:0:1:2:3:4:5:6', '1:0:0:2:0:0:0:3', '1:0:0:2:0:0:3:4', '1:2:3:4:5:6:0:0'].map(scripts.address.canonical)`,
			`["10.0.0.1","fd00::2","::1","fd00:0:1:2:3:4:5:6","1:0:0:2::3","1::2:0:0:3:4","1:2:3:4:5:6::"]`},
		{"IPv4 as IPv6", `[scripts.address.plain('::ffff:10.0.0.1'), scripts.address.plain('::1')]`, `["10.0.0.1","::1"]`},

		{"a service account", `scripts.spiffe.serviceAccount('spiffe://cluster.local/ns/a/sa/b')`, `{"uri":"spiffe://cluster.local/ns/a/sa/b","name":"b.a.cluster.local"}`},
		{"another path", `scripts.spiffe.serviceAccount('spiffe://cluster.local/a/b')`, `null`},
		{"no header", `scripts.spiffe.serviceAccount(undefined)`, `null`},
		{"a member", `scripts.spiffe.isMember('spiffe://cluster.local/ns/a/sa/b', 'cluster.local')`, `true`},
		{"of a trust domain that begins so", `scripts.spiffe.isMember('spiffe://cluster.local.evil/ns/a/sa/b', 'cluster.local')`, `false`},
		{"the trust domain itself", `scripts.spiffe.isMember('spiffe://cluster.local', 'cluster.local')`, `false`},
		{"upper case", `scripts.spiffe.parse('spiffe://Cluster.local/a')`, `null`},
		{"an empty segment", `scripts.spiffe.parse('spiffe://cluster.local/a//b')`, `null`},
		{"dots", `scripts.spiffe.parse('spiffe://cluster.local/a/../b')`, `null`},
		{"a query", `scripts.spiffe.parse('spiffe://cluster.local/a?b')`, `null`},
		{"another scheme", `scripts.spiffe.parse('https://cluster.local/a')`, `null`},

		{"a frame", `scripts.grpc.frame(new Data([1, 2, 3])).toArray()`, `[0,0,0,0,3,1,2,3]`},
		{"frames in pieces", `(function () { var got = []; var take = scripts.grpc.unframer(function (m) { got.push(m.toArray()) });
			[[0, 0, 0], [0, 2, 7], [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [9]].forEach(function (b) { take(new Data(b)) }); return got })()`, `[[7,8],[],[9]]`},
		{"a compressed frame", `scripts.grpc.unframer(function () {})(new Data([1, 0, 0, 0, 0]))`, `throws a compressed message`},
		{"a frame that is too long", `scripts.grpc.unframer(function () {})(new Data([0, 255, 0, 0, 0]))`, `throws a message of 4278190080 bytes`},

		{"a destination of IPv4", `scripts.origin.decode([2, 0, 31, 144, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 99, 99, 99, 99, 99, 99, 99, 99])`, `{"host":"10.0.0.2","port":8080}`},
		{"a destination of IPv6", `scripts.origin.decode([10, 0, 0, 80, 0, 0, 0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])`, `{"host":"fd00:0:0:0:0:0:0:2","port":80}`},
		{"no destination", `scripts.origin.decode([])`, `null`},

		{"HTTP/1", `scripts.sniff.sniff(codes('GET / HTTP/1.1\r\n'))`, `"http1"`},
		{"a method that no one knows", `scripts.sniff.sniff(codes('BREW / HTTP/1.1\r\n'))`, `"http1"`},
		{"lenient HTTP", `scripts.sniff.sniff(codes('\r\n get\t/ http/1.1\n'))`, `"http1"`},
		{"HTTP/0.9", `scripts.sniff.sniff(codes('GET /\r\n'))`, `"http1"`},
		{"memcached", `scripts.sniff.sniff(codes('get key\r\n'))`, `"opaque"`},
		{"HTTP/2", `scripts.sniff.sniff(codes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))`, `"http2"`},
		{"half a preface", `scripts.sniff.sniff(codes('PRI * HTTP/2.0\r\n\r\n'))`, `null`},
		{"half a line", `scripts.sniff.sniff(codes('GET /ind'))`, `null`},
		{"nothing", `scripts.sniff.sniff([])`, `null`},
		{"TLS", `scripts.sniff.sniff([22, 3, 1, 2, 0])`, `"opaque"`},
		{"SMTP", `scripts.sniff.sniff(codes('EHLO me\r\n'))`, `"opaque"`},
		{"Redis", `scripts.sniff.sniff(codes('*1\r\n$4\r\nPING\r\n'))`, `"opaque"`},
		{"binary", `scripts.sniff.sniff([65, 0, 1])`, `"opaque"`},
		{"half a line with control characters", `scripts.sniff.sniff(codes('GET /').concat([0, 1]))`, `null`},
		{"a head like others", `scripts.sniff.wellFormed({ method: 'GET', path: '/', headers: { 'x-a': 'b', cookie: ['a', 'b'] } })`, `true`},
		{"a name with a space", `scripts.sniff.wellFormed({ method: 'GET', path: '/', headers: { 'x-a ': 'b' } })`, `false`},
		{"an end of line in the path", `scripts.sniff.wellFormed({ method: 'GET', path: '/\rX: y', headers: {} })`, `false`},
		{"an end of line in a value", `scripts.sniff.wellFormed({ method: 'GET', path: '/', headers: { a: 'b\nc: d' } })`, `false`},

		{"names of the header", `['X-Forwarded-Client-Cert', 'x.forwarded.client.cert', 'X_Forwarded~Client!Cert', 'xforwardedclientcert', "x'forwarded|client*cert-", 'x-forwarded-client-certs', 'x-forwarded-for', 'y'].map(scripts.identify.isPeer)`,
			`[true,true,true,true,true,false,false,false]`},
		{"a HEAD with content", `['0', '5'].map(function (n) { return scripts.sniff.wellFormed({ method: 'HEAD', path: '/', headers: { 'content-length': n } }) })`, `[true,false]`},
		{"a control character in a value", `scripts.sniff.wellFormed({ method: 'GET', path: '/', headers: { a: 'b\x0bc' } })`, `false`},
		{"who calls", `(function (h) { scripts.identify.identify(h, 'spiffe://a/b'); return h })({ x_forwarded_client_cert: 'c', 'X-Forwarded-Client-Cert': 'd', 'x-forwarded-client-cert': 'e', upgrade: 'websocket' })`,
			`{"upgrade":"websocket","x-forwarded-client-cert":"URI=spiffe://a/b"}`},
		{"an upgrade to HTTP", `(function (h) { scripts.identify.identify(h, 'spiffe://a/b'); return h })({ upgrade: 'websocket, H2C' })`,
			`{"x-forwarded-client-cert":"URI=spiffe://a/b"}`},

		{"an upgrade to SPDY", `(function (h) { scripts.identify.identify(h, 'spiffe://a/b'); return h })({ upgrade: 'SPDY/3.1' })`,
			`{"x-forwarded-client-cert":"URI=spiffe://a/b"}`},
		{"what HTTP/1.1 does not have", `[['GET', '/', 'a'], ['G T', '/', 'a'], ['GET', '/ HTTP/1.1', 'a'], ['GET', '/', 'Transfer-Encoding']].map(function (r) { var h = {}; h[r[2]] = 'b'; return scripts.sniff.convertible({ method: r[0], path: r[1], headers: h }) })`,
			`[true,false,false,false]`},

		{"a listed probe", `scripts.probes.find([{ port: 1, path: '/a' }], 1, { method: 'GET', path: '/a' })`, `{"probe":{"port":1,"path":"/a"}}`},
		{"another method", `scripts.probes.find([{ port: 1, path: '/a' }], 1, { method: 'POST', path: '/a' })`, `{"status":405}`},
		{"another port", `scripts.probes.find([{ port: 1, path: '/a' }], 2, { method: 'GET', path: '/a' })`, `{"status":404}`},
		{"a query that is not listed", `scripts.probes.find([{ port: 1, path: '/a' }], 1, { method: 'GET', path: '/a?b' })`, `{"status":404}`},
		{"the kubelet's host", `scripts.probes.hostFor({ port: 15901, target: 80 }, '10.0.0.1', '10.0.0.1:15901')`, `"10.0.0.1:80"`},
		{"a host of the pod's own", `scripts.probes.hostFor({ port: 15901, target: 80, headers: ['Host'] }, '10.0.0.1', 'shop')`, `"shop"`},
		{"a host of the caller's choice", `scripts.probes.hostFor({ port: 15901, target: 80 }, '10.0.0.1', 'admin')`, `"10.0.0.1:80"`},
		{"headers of a probe", `scripts.probes.headersFor({ headers: ['X-Mine'] }, { host: 'a', accept: '*/*', 'user-agent': 'b', 'x-mine': 'c', 'x-original-url': 'd', 'x-forwarded-for': 'e', connection: 'f' })`,
			`{"accept":"*/*","user-agent":"b","x-mine":"c"}`},
		{"the header of callers, as a probe's own", `scripts.probes.headersFor({ headers: ['x.forwarded.client.cert'] }, { 'x.forwarded.client.cert': 'a' })`, `{}`},

		{"an origin of the pod", `scripts.origin.isOwn({ host: '10.0.0.1', port: 80 }, '::ffff:10.0.0.1')`, `true`},
		{"an origin of the pod, IPv6", `scripts.origin.isOwn({ host: 'fd00:0:0:0:0:0:0:1', port: 80 }, 'fd00::1')`, `true`},
		{"an origin elsewhere", `scripts.origin.isOwn({ host: '10.0.0.2', port: 80 }, '10.0.0.1')`, `false`},
		{"an origin on loopback", `['127.0.0.1', '127.1.2.3', '0:0:0:0:0:0:0:1'].map(function (h) { return scripts.origin.isOwn({ host: h, port: 80 }, h === '0:0:0:0:0:0:0:1' ? '::1' : h) })`, `[false,false,false]`},

		{"ports that are declared", `(function () { var d = scripts.declared.default({ httpPorts: [80] }); d.take([{ name: 'http-ports', text: '81,8080' }]); return [80, 81, 8080, 8, null].map(d.isHTTP) })()`,
			`[true,true,true,false,false]`},
		{"no ports", `scripts.declared.parse('')`, `[]`},
		{"ports that are none", `['0', '80,', '080', '65536', ' 80', '1e3', '+1', '80;81'].map(function (l) { try { return scripts.declared.parse(l) } catch (e) { return 'refused' } })`,
			`["refused","refused","refused","refused","refused","refused","refused","refused"]`},
		{"a control plane that knows of no ports", `(function () { var d = scripts.declared.default({}); return [d.names(), d.refused(true, false), d.names(), d.refused(true, false), d.names(), d.refused(false, false), d.refused(true, true)] })()`,
			`[["http-ports"],true,[],false,["http-ports"],false,false]`},
		{"HTTP at ports that are not declared", `(function () { var u = scripts.undeclared.default(); [8080, 9090, 8080].forEach(function (p) { var answered = u.connection(p); answered({ headers: {} }); answered({ headers: { date: 'd' } }); answered({ headers: { date: 'd' } }) }); u.connection(1)({ headers: {} }); return u.samples() })()`,
			`[["{port=\"8080\"}",2],["{port=\"9090\"}",1]]`},
		{"more such ports than applications have", `(function () { var u = scripts.undeclared.default(); for (var n = 0; n < 140; n++) u.connection(8000 + n % 70)({ headers: { date: 'd' } }); var all = u.samples(); return [all.length, all[0], all[63], all[64]] })()`,
			`[65,["{port=\"8000\"}",2],["{port=\"8063\"}",2],["{port=\"other\"}",12]]`},
		{"redirected to a path", redirected(`/b?c#d`), `{"secure":false,"port":80,"path":"/b?c","host":"h"}`},
		{"redirected beside", redirected(`b`), `{"secure":false,"port":80,"path":"/x/b","host":"h"}`},
		{"redirected to a query", redirected(`?b=http://c`), `{"secure":false,"port":80,"path":"/x/a?b=http://c","host":"h"}`},
		{"redirected to https", redirected(`https://10.0.0.1:8443/b`), `{"secure":true,"port":8443,"path":"/b","host":"10.0.0.1:8443"}`},
		{"redirected to the host alone", redirected(`//10.0.0.1`), `{"secure":false,"port":80,"path":"/","host":"10.0.0.1"}`},
		{"redirected elsewhere", redirected(`http://10.0.0.2/`), `null`},
		{"redirected to loopback", redirected(`http://127.0.0.1/`), `null`},
		{"redirected to another scheme", redirected(`ftp://10.0.0.1/`), `null`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, f.eval(t, tc.expression)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func redirected(location string) string {
	return `scripts.probes.redirection('` + location + `', { secure: false, port: 80, path: '/x/a?q', host: 'h' }, '10.0.0.1')`
}

func TestCertificatesAreReadAsTheyAre(t *testing.T) {
	f := load(t)
	uri, err := url.Parse("spiffe://cluster.local/ns/a/sa/b")
	if err != nil {
		t.Fatal(err)
	}
	leaf := x509.Certificate{DNSNames: []string{"b.a.cluster.local"}, URIs: []*url.URL{uri}, KeyUsage: x509.KeyUsageDigitalSignature}
	ca := x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{uri}}
	signs := leaf
	signs.KeyUsage |= x509.KeyUsageCRLSign
	two := leaf
	two.URIs = append(two.URIs, &url.URL{Scheme: "https", Host: "example.com"})
	plain := leaf
	plain.BasicConstraintsValid = true
	cases := []struct {
		name     string
		template x509.Certificate
		id       string
	}{
		{"a workload's", leaf, `"spiffe://cluster.local/ns/a/sa/b"`},
		{"one that says it is no CA", plain, `"spiffe://cluster.local/ns/a/sa/b"`},
		{"a CA", ca, "null"},
		{"one that may sign lists", signs, "null"},
		{"two URIs", two, "null"},
		{"no URI", x509.Certificate{DNSNames: []string{"b"}}, "null"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			tc.template.SerialNumber, _ = new(big.Int).SetString("80cafe00000000000000000000000001", 16)
			tc.template.Subject, tc.template.NotAfter = pkix.Name{CommonName: "b"}, time.Now().Add(time.Hour)
			der, err := x509.CreateCertificate(rand.Reader, &tc.template, &tc.template, key.Public(), key)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
			if err != nil {
				t.Fatal(err)
			}
			cert := `{ toPEM: function () { return ` + string(text) + ` } }`
			if got := f.eval(t, `scripts.x509.spiffeID(`+cert+`)`); got != tc.id {
				t.Errorf("identity %s, want %s", got, tc.id)
			}
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			spki := base64.StdEncoding.EncodeToString(parsed.RawSubjectPublicKeyInfo)
			dns, err := json.Marshal(append([]string{}, tc.template.DNSNames...))
			if err != nil {
				t.Fatal(err)
			}
			want := `["80cafe00000000000000000000000001",` + string(dns) + `,"` + spki + `"]`
			if got := f.eval(t, `(function (d) { return [d.serial, d.dns, d.spki] })(scripts.x509.details(`+cert+`))`); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if got := f.eval(t, `scripts.x509.spiffeID({ toPEM: function () { return 'MIIB' } })`); got != "null" {
			t.Error(got)
		}
	})
}
