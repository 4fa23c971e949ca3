package vault_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestARefusalSaysWhatToSetOnTheRole(t *testing.T) {
	server := startServer(t)
	long := strings.Repeat("bookstore-", 7) + "v2"
	tests := []struct {
		sentence       string
		role           map[string]any
		serviceAccount string
		want           []string
		refused        bool // this request, and not any
	}{
		{"no URI SANs", map[string]any{"allowed_uri_sans": ""}, "bookstore", []string{"allowed_uri_sans=spiffe://*"}, false},
		{"other URI SANs", map[string]any{"allowed_uri_sans": "https://*"}, "bookstore", []string{"allowed_uri_sans=spiffe://*"}, false},
		{"RSA keys only", map[string]any{"key_type": "rsa"}, "bookstore", []string{"key_type=any"}, false},
		{"larger keys only", map[string]any{"key_type": "ec", "key_bits": 384}, "bookstore", []string{"key_bits"}, false},
		{"other names", map[string]any{"allow_any_name": false, "allowed_domains": "example.com"}, "bookstore", []string{"bookstore.bookstore.cluster.local", "allowed_domains"}, true},
		{"names in the subject only", map[string]any{"require_cn": true}, long, []string{"require_cn=false"}, true},
		{"names that are not kept", map[string]any{"use_csr_sans": false}, "bookstore", []string{"URIs", "use_csr_sans=true"}, false},
	}
	for i, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			mount := fmt.Sprint("role", i)
			must(t, server.SetUpPKI(t.Context(), mount, test.role))
			ca := newCA(t, server, func(o *vault.Options) { o.Mount = mount })
			_, err := ca.Issue(t.Context(), request(t, test.serviceAccount), time.Hour)
			wantError(t, err, []string{server.Token}, append(test.want, mount+"/roles/"+testvault.Role)...)
			if got := errors.Is(err, issuer.ErrRefused); got != test.refused {
				t.Errorf("a refusal of this request: %v, want %v", got, test.refused)
			}
			must(t, server.SetRole(t.Context(), mount, followed(test.role, err)))
			if _, again := ca.Issue(t.Context(), request(t, test.serviceAccount), time.Hour); again != nil {
				t.Errorf("after what %q says: %v", err, again)
			}
		})
	}
}

var setting = regexp.MustCompile(`\b([a-z_]+)=([^\s,;:]+(?:://\*)?)`)

// followed is a role after what a refusal says to set on it.
func followed(role map[string]any, refusal error) map[string]any {
	role = maps.Clone(role)
	_, fix, _ := strings.Cut(refusal.Error(), ": ")
	for _, found := range setting.FindAllStringSubmatch(fix, -1) {
		role[found[1]] = found[2]
	}
	if strings.Contains(fix, "a smaller key_bits") {
		role["key_bits"] = 256
	}
	return role
}

func TestWhatIsNotThereIsNamed(t *testing.T) {
	server := startServer(t)
	must(t, server.MountPKI(t.Context(), "empty"))
	must(t, server.SetRole(t.Context(), "empty", nil))
	for name, test := range map[string]struct {
		change func(*vault.Options)
		want   []string
	}{
		"no such role":  {func(o *vault.Options) { o.Role = "other" }, []string{"unknown role", "pki/roles/other"}},
		"no such mount": {func(o *vault.Options) { o.Mount = "nowhere" }, []string{"no PKI at nowhere"}},
		"no CA":         {func(o *vault.Options) { o.Mount = "empty" }, []string{"empty/root/generate/internal"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := issue(t, newCA(t, server, test.change), time.Hour)
			wantError(t, err, []string{server.Token}, test.want...)
		})
	}
}

func TestARoleThatIsDeletedAndWrittenAgain(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	mustIssue(t, ca, time.Hour)
	client, err := server.Client(server.Token)
	must(t, err)
	_, err = client.Logical().DeleteWithContext(t.Context(), "pki/roles/"+testvault.Role)
	must(t, err)
	_, err = issue(t, ca, time.Hour)
	wantError(t, err, []string{server.Token}, "unknown role", "write the role pki/roles/"+testvault.Role)
	must(t, server.SetRole(t.Context(), testvault.Mount, nil))
	mustIssue(t, ca, time.Hour)
}

func TestLifetimesAreCountedInSeconds(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	for _, ttl := range []time.Duration{30 * time.Minute, 90 * time.Minute, time.Minute + time.Second, 24 * time.Hour} {
		asked := time.Now()
		leaf := mustIssue(t, ca, ttl)[0]
		if got := leaf.NotAfter.Sub(asked); got < ttl-5*time.Second || got > ttl+5*time.Second {
			t.Errorf("asked for %s, got %s", ttl, got)
		}
	}
	if _, err := issue(t, ca, 999*time.Millisecond); err == nil {
		t.Error("a part of a second is no lifetime")
	}
}

func TestAShortenedLifetimeIsToldOnce(t *testing.T) {
	server := startServer(t)
	var told logs
	ca := newCA(t, server, func(o *vault.Options) { o.Logger = told.logger() })
	count := func() int { return strings.Count(told.String(), "raise max_ttl") }
	for range 3 {
		leaf := mustIssue(t, ca, 48*time.Hour)[0]
		if got := time.Until(leaf.NotAfter); got > 24*time.Hour {
			t.Errorf("granted %s", got)
		}
	}
	if count() != 1 || !strings.Contains(told.String(), "asked=48h0m0s granted=24h0m0s") {
		t.Errorf("told %d times:\n%s", count(), &told)
	}
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"max_ttl": "12h"}))
	mustIssue(t, ca, 48*time.Hour)
	mustIssue(t, ca, 48*time.Hour)
	if count() != 2 {
		t.Errorf("told %d times, want once more", count())
	}
	mustIssue(t, ca, time.Hour)
	if count() != 2 {
		t.Errorf("told of a lifetime that was granted:\n%s", &told)
	}
}

func TestALifetimeBeyondTheCAIsRefusedWithItsFix(t *testing.T) {
	server := startServer(t)
	must(t, server.MountPKI(t.Context(), "short"))
	_, err := server.Write(t.Context(), "short/root/generate/internal", map[string]any{"common_name": "short", "ttl": "1h"})
	must(t, err)
	must(t, server.SetRole(t.Context(), "short", nil))
	ca := newCA(t, server, func(o *vault.Options) { o.Mount = "short" })
	_, err = issue(t, ca, 2*time.Hour)
	wantError(t, err, []string{server.Token}, "beyond the expiration of the CA", "shorter lifetime")
	mustIssue(t, ca, 30*time.Minute)
}
