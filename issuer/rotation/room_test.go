package rotation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// named returns a root whose subject takes that many bytes.
func named(t *testing.T, size int) trustbundle.TrustBundle {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: strings.Repeat("a", size)},
		NotBefore: noon, NotAfter: noon.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return trustbundle.New(root)
}

func wantOnly(b trustbundle.TrustBundle) Wanted {
	return Wanted{Signer: b, Trusted: map[string]trustbundle.TrustBundle{"root": b}}
}

func TestARootWaitsForRoom(t *testing.T) {
	for name, size := range map[string]int{"many roots": 30, "large roots": 16 << 10} {
		t.Run(name, func(t *testing.T) {
			n := Situation{Now: noon, Acknowledged: true, RetirementPeriod: dayLong}
			state, waited := State{}, 0
			var last trustbundle.TrustBundle
			for range MaxRoots + 8 {
				last = named(t, size)
				for range 2 { // distribute, sign
					state = recorded(t, state.Next(wantOnly(last), n))
				}
				if len(state.Bundle().Roots()) > MaxRoots || len(state.Bundle().PEM()) > maxBytes {
					t.Fatalf("%d roots are trusted, of %d bytes", len(state.Bundle().Roots()), len(state.Bundle().PEM()))
				}
				if !state.Waiting(wantOnly(last)).IsEmpty() {
					waited++
				}
				n.Now = n.Now.Add(time.Minute)
			}
			if waited == 0 || state.Signing().IsEmpty() || state.NextDropped().IsZero() {
				t.Errorf("%d waited, %v signs, the next is dropped at %s", waited, state.Signing(), state.NextDropped())
			}
			n.Now = state.NextDropped()
			for range 3 { // drop, distribute, sign
				state = recorded(t, state.Next(wantOnly(last), n))
			}
			if !state.Signing().Equal(last) {
				t.Errorf("%v signs when there is room", state.Signing())
			}
		})
	}
}

func TestAMeshWhoseRootsAreRevokedDoesNotWaitForRoom(t *testing.T) {
	n := Situation{Now: noon, Acknowledged: true, RetirementPeriod: dayLong}
	state := State{}
	for range MaxRoots {
		b := named(t, 30)
		for range 2 {
			state = state.Next(wantOnly(b), n)
		}
	}
	signing := state.Signing()
	state.signing = nil // as if its root had ended
	b := named(t, 30)
	if state = recorded(t, state.Next(wantOnly(b), n)); !state.Signing().Equal(b) {
		t.Errorf("%v signs, after %v", state.Signing(), signing)
	}
}

func TestWhatCanBeReadOfAMalformedRecordIsSalvaged(t *testing.T) {
	roots := newRoots(t, "abc")
	n := Situation{Now: noon, Acknowledged: true, RetirementPeriod: dayLong}
	state := State{}
	for _, name := range []string{"a", "b", "b"} {
		state = state.Next(roots.want(name), n)
	}
	whole, err := state.encode()
	if err != nil {
		t.Fatal(err)
	}
	large := state.bundle.Roots()
	for range 50 {
		large = append(large, named(t, 8<<10).Roots()...)
	}
	tests := map[string]struct {
		bundle, rotation, trusted, signing string
	}{
		"a bundle that is cut off":     {whole[BundleKey][:len(whole[BundleKey])-40], whole[rotationKey], "", ""},
		"stages that are cut off":      {whole[BundleKey], whole[rotationKey][:20], "ab", "ab"},
		"half a block beside":          {whole[BundleKey] + "-----END", whole[rotationKey], "ab", "b"},
		"a step that there is not":     {whole[BundleKey], `{"step":"dance"}`, "ab", "ab"},
		"a bundle of garbage":          {"garbage", whole[rotationKey], "", ""},
		"more roots than are recorded": {string(trustbundle.New(large...).PEM()), whole[rotationKey], "ab", "b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := map[string]string{BundleKey: test.bundle, rotationKey: test.rotation}
			if _, err := Parse(data); err == nil {
				t.Fatal("it is not malformed")
			}
			salvaged := Salvage(data, noon)
			if name == "a bundle that is cut off" {
				if len(salvaged.Bundle().Roots()) != 1 {
					t.Errorf("%v", salvaged.Bundle())
				}
				return
			}
			if salvaged.Bundle().IsEmpty() {
				if test.trusted != "" {
					t.Error("nothing is salvaged")
				}
				return
			}
			recorded(t, salvaged)
			if trusted, signing := roots.names(salvaged.Bundle()), roots.names(salvaged.Signing()); trusted != test.trusted || signing != test.signing {
				t.Errorf("trusted are %q, signing %q; want %q and %q", trusted, signing, test.trusted, test.signing)
			}
		})
	}
}
