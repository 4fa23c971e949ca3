package names_test

import (
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/vault/names"
)

func TestAddressesOfOneMeaningAreTakenAndOthersCorrected(t *testing.T) {
	for address, want := range map[string]string{
		"https://vault.vault.svc:8200":        "",
		"https://vault":                       "",
		"https://vault:8200/":                 "",
		"HTTPS://Vault.example.:8200":         "",
		"http://127.0.0.1:8200":               "",
		"https://[fd00::1]:8200":              "",
		"https://proxy.example/team/vault/":   "",
		"https://proxy/a@b/~c":                "",
		"vault:8200":                          "write https://vault:8200",
		"[fd00::1]:8200":                      "write https://[fd00::1]:8200",
		" https://vault:8200\n":               "write https://vault:8200",
		"https://vault:8200/v1":               "write https://vault:8200",
		"https://vault:8200/v1/pki/sign/r":    "write https://vault:8200",
		"https://vault:8200/ui/vault/x":       "write https://vault:8200",
		"https://proxy/team/v1/":              "write https://proxy/team",
		"https://vault:8200//":                "write https://vault:8200",
		"https://vault:8200/a//b/../c":        "write https://vault:8200/a/c",
		"https://vault:":                      "write https://vault",
		"https://me:secret@vault:8200?a=b#":   "write https://vault:8200",
		"https://vault:99999":                 "want a URL",
		"https://vault:0":                     "want a URL",
		"https://fd00::1:8200":                "want a URL",
		"https://[fd00::1::2]:8200":           "want a URL",
		"https://[fe80::1%25eth0]:8200":       "want a URL",
		"https://256.0.0.1":                   "want a URL",
		"unix:///run/vault.sock":              "want a URL",
		"hvs.secret":                          "want a URL",
		"":                                    "want a URL",
		"https://vault/%2e%2e/sys":            "want a URL",
		"https://" + strings.Repeat("a", 512): "want a URL",
	} {
		err := names.CheckAddress(address)
		switch {
		case want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want) && want != "want a URL"):
			t.Errorf("%q: %v, want %q", address, err, want)
		case want == "want a URL" && strings.Contains(err.Error(), "write"):
			t.Errorf("%q: %v", address, err)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: %v shows a secret", address, err)
		}
	}
}

func TestAnotherPathIsAnotherVault(t *testing.T) {
	for _, same := range [][2]string{
		{"https://vault:8200", "HTTPS://VAULT:8200/"}, {"https://vault", "https://vault.:443"}, {"http://[fd00::1]", "http://[fd00:0::1]:80"}, {"https://p/a", "https://p/a/"},
	} {
		if !names.Same(same[0], same[1]) {
			t.Errorf("%q", same)
		}
	}
	for _, other := range [][2]string{
		{"https://p/a", "https://p/b"}, {"https://p", "https://p/a"}, {"https://p", "http://p"}, {"https://p", "https://p:8200"}, {"x", "x"}, {"", ""}, {"https://p/A", "https://p/a"},
		{"https://vault", "https://vault.evil"}, {"https://vault", "https://vault@evil"}, {"https://vault@evil", "https://vault@evil"}, {"ftp://vault", "ftp://vault"},
	} {
		if names.Same(other[0], other[1]) {
			t.Errorf("%q", other)
		}
	}
}

func TestATokenStandsAlone(t *testing.T) {
	for token, want := range map[string]string{
		"hvs.CAESIJ-_x": "", "s.abcdefghijklmnopqrstuvwx": "", "root": "", "0e4e1b5c-2f0a-4b8e-9f57-1d0c2f8a1b11": "", "my=own": "",
		`"hvs.secret"`: "a token alone", "'hvs.secret'": "a token alone", "VAULT_TOKEN=hvs.secret": "a token alone", "token   hvs.secret": "a token alone",
		`{"auth":{"client_token":"hvs.secret"}}`: "a token alone", "hvs.secret\nhvs.secret": "a token alone", "h\x00v\x00s\x00": "a token alone", "hvs.é": "a token alone",
		"aHZzLnNlY3JldA==": "base64 -d",
	} {
		err := names.CheckToken(token)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v, want %q", token, err, want)
		}
	}
}

func TestMountsAndRoles(t *testing.T) {
	for mount, good := range map[string]bool{
		"pki": true, "team@x/pki": true, "-pki": true, "/pki/": true, "ns1/ns2/pki": true, ".pki": true, "..pki": true, "...": true, "a b": true, "é/日本": true, "m!$&'()*+,;=:~": true,
		"": false, "/": false, "//pki": false, "pki//": false, "a//b": false, ".": false, "..": false, "pki/../sys": false, "a/.": false, " pki": false, "pki ": false, "a/ b": false,
		"a%2fb": false, "a?b": false, "a#b": false, `a\b`: false, "a\nb": false, "a\u200bb": false, strings.Repeat("a", 256): false,
	} {
		if err := names.CheckMount(mount); (err == nil) != good {
			t.Errorf("mount %q: %v", mount, err)
		}
	}
	for role, good := range map[string]bool{
		"openservicemesh": true, "a.b-c_d": true, "_": true, "A": true,
		"": false, "-a": false, "a-": false, ".a": false, "a@b": false, "a/b": false, "a b": false, "é": false, "a\n": false, strings.Repeat("a", 256): false,
	} {
		if err := names.CheckRole(role); (err == nil) != good {
			t.Errorf("role %q: %v", role, err)
		}
	}
}
