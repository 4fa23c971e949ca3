package injector

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/osm-edge/osm/issuer/identity"
)

func testBootstrap(t testing.TB) Bootstrap {
	t.Helper()
	config := testConfig(t)
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
	if err != nil {
		t.Fatal(err)
	}
	return newBootstrap(config, id, testProxy)
}

func encoded(t testing.TB, bootstrap Bootstrap) []byte {
	t.Helper()
	data, err := json.Marshal(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestABootstrapIsReadAsItWasWritten(t *testing.T) {
	want := testBootstrap(t)
	got, err := ParseBootstrap(encoded(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABootstrapThatContradictsItselfIsRefusedByField(t *testing.T) {
	tests := map[string]struct {
		edit func(*Bootstrap)
		want string
	}{
		"no mesh":                         {func(b *Bootstrap) { b.Mesh = "" }, "mesh: missing"},
		"a proxy that is no UUID":         {func(b *Bootstrap) { b.Proxy = "7" }, `proxy: "7" is not a UUID`},
		"a proxy in capitals":             {func(b *Bootstrap) { b.Proxy = strings.ToUpper(b.Proxy) }, "canonical form"},
		"an unknown log level":            {func(b *Bootstrap) { b.LogLevel = "" }, "logLevel: "},
		"an identity that is no URI":      {func(b *Bootstrap) { b.Identity = "bookstore-v2" }, "identity: "},
		"an identity with another path":   {func(b *Bootstrap) { b.Identity = "spiffe://cluster.local/bookstore" }, `identity: path "/bookstore" is not`},
		"an identity of another domain":   {func(b *Bootstrap) { b.TrustDomain = "other" }, "identity: spiffe://cluster.local/ns/bookstore/sa/bookstore-v2 is not of"},
		"a secret of another identity":    {func(b *Bootstrap) { b.SDS.Certificate = "service-cert:bookstore/admin" }, "no right to sds.certificate"},
		"roots of another identity":       {func(b *Bootstrap) { b.SDS.Validation = "root-cert-for-mtls-inbound:x/y" }, "no right to sds.validation"},
		"a server of another domain":      {func(b *Bootstrap) { b.SDS.ServerIdentity = "spiffe://other/ns/a/sa/b" }, "sds.serverIdentity: spiffe://other/ns/a/sa/b is not of"},
		"a server that is no URI":         {func(b *Bootstrap) { b.SDS.ServerIdentity = "" }, "sds.serverIdentity: "},
		"a server name of another server": {func(b *Bootstrap) { b.SDS.ServerName = "other" }, `not named "other"`},
		"an address without a port":       {func(b *Bootstrap) { b.SDS.Address = "controller" }, "sds.address: "},
		"port 0":                          {func(b *Bootstrap) { b.SDS.Address = "controller:0" }, "from 1 to 65535"},
		"a fallback without a port":       {func(b *Bootstrap) { b.SDS.Fallbacks = []string{"10.96.0.5:15128", "fd00::5"} }, "sds.fallbacks[1]: "},
		"a relative token file":           {func(b *Bootstrap) { b.SDS.TokenFile = "token" }, "sds.tokenFile: "},
		"a roundabout CA file":            {func(b *Bootstrap) { b.SDS.CAFile = "/var/../ca.crt" }, "sds.caFile: "},
		"an inbound port out of range":    {func(b *Bootstrap) { b.Inbound.Listen = []string{":70000"} }, "inbound.listen: "},
		"an outbound host name":           {func(b *Bootstrap) { b.Outbound.Listen = []string{"localhost:15001"} }, "outbound.listen: "},
		"no admin listener":               {func(b *Bootstrap) { b.Admin.Listen = nil }, "admin.listen: "},
		"no interception":                 {func(b *Bootstrap) { b.Interception = "" }, `interception: interception ""`},
		"an unknown interception":         {func(b *Bootstrap) { b.Interception = "iptables" }, `interception: interception "iptables"`},
		"HTTP ports out of order":         {func(b *Bootstrap) { b.HTTPPorts = []uint16{81, 80} }, "httpPorts: [81 80] are not"},
		"an HTTP port twice":              {func(b *Bootstrap) { b.HTTPPorts = []uint16{80, 80} }, "httpPorts: [80 80] are not"},
		"an HTTP port 0":                  {func(b *Bootstrap) { b.HTTPPorts = []uint16{0} }, "httpPorts: [0] are not"},
		"an HTTP port of the sidecar's":   {func(b *Bootstrap) { b.HTTPPorts = []uint16{80, 15003} }, "httpPorts: port 15003 is the sidecar's"},
		"headers of a probe by TCP": {func(b *Bootstrap) {
			b.Probes = []Probe{{Port: 15904, Path: "/a", Kind: TCPProbe, Target: 80, TimeoutSeconds: 1, Headers: []string{"A"}}}
		}, "probes[0]: headers do not go with kind tcp"},
		"a header that has no name": {func(b *Bootstrap) {
			b.Probes = []Probe{{Port: 15901, Path: "/a", Kind: HTTPProbe, Target: 80, TargetPath: "/", TimeoutSeconds: 1, Headers: []string{"A b"}}}
		}, "probes[0]: headers: "},
		"no readiness listener": {func(b *Bootstrap) { b.Readiness.Listen = []string{"15902"} }, "readiness.listen: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bootstrap := testBootstrap(t)
			test.edit(&bootstrap)
			_, err := ParseBootstrap(encoded(t, bootstrap))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v lacks %q", err, test.want)
			}
		})
	}
}

func TestABootstrapIsParsedStrictly(t *testing.T) {
	good := string(encoded(t, testBootstrap(t)))
	tests := map[string]struct{ data, want string }{
		"nothing":                  {"", "sidecar bootstrap"},
		"half of it":               {good[:100], "sidecar bootstrap"},
		"more after it":            {good + "{}", "sidecar bootstrap"},
		"an unknown field":         {`{"token":"x",` + good[1:], `unknown field "token"`},
		"a field twice":            {`{"mesh":"other",` + good[1:], `duplicate field "mesh"`},
		"a field in other letters": {strings.Replace(good, `"mesh"`, `"Mesh"`, 1), `unknown field "Mesh"`},
		"another type":             {strings.Replace(good, `"mesh":"osm"`, `"mesh":1`, 1), "mesh"},
		"no interception":          {strings.Replace(good, `"interception":"nftables",`, "", 1), "interception: "},
		"a port that is none":      {`{"httpPorts":[65536],` + good[1:], "httpPorts"},
		"too much":                 {good + strings.Repeat(" ", 64<<10), "at most 65536 are read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseBootstrap([]byte(test.data))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v lacks %q", err, test.want)
			}
			if !cmp.Equal(got, Bootstrap{}) {
				t.Error("half a bootstrap is returned")
			}
		})
	}
}

func FuzzParseBootstrap(f *testing.F) {
	good := string(encoded(f, testBootstrap(f)))
	for _, data := range []string{good, "", "{}", "null", "[]", good[:200], good + good,
		strings.Replace(good, ":15003", "[::1]:15003", 1), strings.Replace(good, "/ns/", "//ns/", 1)} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bootstrap, err := ParseBootstrap(data)
		if err != nil {
			return
		}
		again, err := ParseBootstrap(encoded(t, bootstrap))
		if err != nil || !cmp.Equal(again, bootstrap) {
			t.Errorf("%+v became %+v, %v", bootstrap, again, err)
		}
	})
}
