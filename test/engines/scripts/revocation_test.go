package scripts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// named returns, as a script, a certificate with a subject and an issuer.
func named(t *testing.T, subject, signer string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, NotAfter: time.Now().Add(time.Hour)}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: signer}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return "{ toPEM: function () { return " + string(text) + " } }"
}

func TestConnectionsAreRevokedWithTheRootOfTheirPeer(t *testing.T) {
	f := load(t)
	script := `(function () {
		var one = ` + named(t, "one", "one") + `, two = ` + named(t, "two", "two") + `
		var ofOne = ` + named(t, "a", "one") + `, ofTwo = ` + named(t, "b", "two") + `, ofAbove = ` + named(t, "c", "middle") + `, ofUnknown = ` + named(t, "d", "stranger") + `
		var middle = scripts.x509.details(` + named(t, "middle", "one") + `), change
		var r = scripts.revocation.default({
			onRoots: function (f) { change = f },
			rootOf: function (name) { return name === middle.subject ? middle.issuer : name },
			outlived: function () { return false },
		})
		var opened = function (cert) { var c = r.begin(); if (cert) r.admit(c, cert); return c }
		change([one])
		var early = [opened(ofOne), opened(ofAbove), opened(ofUnknown), opened(null)]
		change([one, two])
		var late = [opened(ofTwo), opened(ofOne)]
		var forgotten = opened(ofOne)
		r.forget(forgotten)
		var before = early.concat(late).map(function (c) { return c.over })
		change([two])
		var after = early.concat(late, forgotten).map(function (c) { return c.over })
		return [before, after, r.admit(r.begin(), ofOne), r.admit(r.begin(), ofAbove), r.admit(r.begin(), ofTwo)]
	})()`
	const none, some = `[false,false,false,false,false,false]`, `[true,true,true,false,false,true,false]`
	if got, want := f.eval(t, script), `[`+none+`,`+some+`,false,false,true]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestConnectionsOutliveARootThatIsReplaced(t *testing.T) {
	f := load(t)
	script := `(function () {
		var one = ` + named(t, "one", "one") + `, two = ` + named(t, "two", "two") + `, ofOne = ` + named(t, "a", "one") + `, change
		var over = Object.assign({}, ofOne, { notAfter: Date.now() - 1 }), valid = Object.assign({}, ofOne, { notAfter: Date.now() + 60000 })
		var r = scripts.revocation.default({
			onRoots: function (f) { change = f },
			rootOf: function (name) { return name },
			outlived: function (name) { return name === scripts.x509.details(one).subject },
		})
		var opened = function (cert) { var c = r.begin(); r.admit(c, cert); return c }
		change([one, two])
		var open = [opened(over), opened(valid)], ends = function () { return open.map(function (c) { return c.over }) }
		change([two])
		var replaced = ends()
		change([one])
		return [replaced, ends()]
	})()`
	if got, want := f.eval(t, script), `[[false,true],[false,true]]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
