package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

// kept is a token that its user keeps, and replaces.
type kept struct {
	token   atomic.Value
	changed chan struct{}
}

func keep(token string) *kept {
	k := &kept{changed: make(chan struct{}, 1)}
	k.token.Store(token)
	return k
}

func (k *kept) credentials(o *vault.Options) {
	o.Credentials = vault.Token{Read: func(context.Context) (string, error) {
		return k.token.Load().(string), nil
	}, Renewed: k.changed}
}

func (k *kept) replace(token string) {
	k.token.Store(token)
	k.changed <- struct{}{}
}

func asCreated(*api.TokenCreateRequest) {}

func TestATokenThatIsRevokedIsReplacedByTheLatest(t *testing.T) {
	server := startServer(t)
	first, second := newToken(t, server, asCreated), newToken(t, server, asCreated)
	token := keep(first)
	ca := newCA(t, server, token.credentials)
	mustIssue(t, ca, time.Hour)
	revoke(t, server, first)
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, []string{first, second}, "permission denied", "pki/sign/openservicemesh")
	token.token.Store(second)
	mustIssue(t, ca, time.Hour)
}

func TestATokenThatMayNotSignIsDenied(t *testing.T) {
	server := startServer(t)
	token := newToken(t, server, func(o *api.TokenCreateRequest) { o.Policies = []string{"default"} })
	_, err := issue(t, newCA(t, server, keep(token).credentials), time.Hour)
	wantError(t, err, []string{token}, "permission denied", "no policy grants it update")
}

// Vault answers some of them with 500, as if it were away.
func TestWhatIsNoTokenAloneIsNotSent(t *testing.T) {
	server := startServer(t)
	for _, token := range []string{`"` + server.Token + `"`, "VAULT_TOKEN=" + server.Token, "token   " + server.Token, `{"auth": "` + server.Token + `"}`} {
		ca := newCA(t, server, keep(token).credentials)
		_, err := issue(t, ca, time.Hour)
		wantError(t, err, []string{server.Token}, "it is not a token alone", "vault token create -field=token")
		if errors.Is(err, vault.ErrUnreachable) {
			t.Errorf("Vault is said to be away: %v", err)
		}
	}
}

func TestATokenThatMayOnlySignSuffices(t *testing.T) {
	server := startServer(t)
	token := newToken(t, server, func(o *api.TokenCreateRequest) { o.NoDefaultPolicy = true })
	mustIssue(t, newCA(t, server, keep(token).credentials), time.Hour)
}

func TestATokenIsRenewedForAsLongAsItCanBe(t *testing.T) {
	server := startServer(t)
	first := newToken(t, server, func(o *api.TokenCreateRequest) { o.TTL, o.Period = "", "4s" })
	var told logs
	ca := newCA(t, server, func(o *vault.Options) {
		keep(first).credentials(o)
		o.Logger = told.logger()
	})
	run(t, ca)
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end); <-time.After(time.Second) {
		mustIssue(t, ca, time.Hour)
	}
	if strings.Contains(told.String(), first) {
		t.Error("the token is logged")
	}
	if !strings.Contains(told.String(), "renewed the token") {
		t.Errorf("the token was not renewed:\n%s", &told)
	}
}

func TestATokenThatEndsIsReadAgain(t *testing.T) {
	server := startServer(t)
	renewable := false
	first := newToken(t, server, func(o *api.TokenCreateRequest) { o.TTL, o.Renewable = "2s", &renewable })
	token := keep(first)
	var told logs
	ca := newCA(t, server, func(o *vault.Options) {
		token.credentials(o)
		o.Logger = told.logger()
	})
	run(t, ca)
	mustIssue(t, ca, time.Hour)
	testkit.Await(t, "it succeeds", func() error {
		if _, err := issue(t, ca, time.Hour); err == nil {
			return errors.New("the token does not end")
		}
		return nil
	})
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, []string{first}, "permission denied", "expired")
	if !strings.Contains(told.String(), "cannot be renewed") {
		t.Errorf("no one is warned:\n%s", &told)
	}
	token.token.Store(newToken(t, server, asCreated))
	mustIssue(t, ca, time.Hour)
}

func TestANewTokenIsUsedWhileTheOldOneStillIsGood(t *testing.T) {
	server := startServer(t)
	token := keep(newToken(t, server, asCreated))
	ca := newCA(t, server, token.credentials)
	run(t, ca)
	mustIssue(t, ca, time.Hour)
	second := newToken(t, server, asCreated)
	token.replace(second)
	testkit.Await(t, "it succeeds", func() error { return renewed(t, server, second) })
	mustIssue(t, ca, time.Hour)
}

// renewed returns nil if another client has renewed the token, as its user does first.
func renewed(t *testing.T, server *testvault.Server, token string) error {
	t.Helper()
	client, err := server.Client(token)
	must(t, err)
	self, err := client.Auth().Token().LookupSelfWithContext(t.Context())
	must(t, err)
	if self.Data["last_renewal_time"] == nil {
		return errors.New("the token was not renewed")
	}
	return nil
}

func TestATokenIsReadAgainUntilItIsOne(t *testing.T) {
	server := startServer(t)
	token, problem := "", errors.New("the Secret is away")
	read := func(context.Context) (string, error) { return token, problem }
	ca := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: read} })
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, nil, "read the token", "the Secret is away")
	problem = nil
	_, err = issue(t, ca, time.Hour)
	wantError(t, err, nil, "it is empty")
	token = newToken(t, server, asCreated) + "\n"
	mustIssue(t, ca, time.Hour)
}

func TestAServiceAccountsTokenThatIsTooLargeIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, make([]byte, 65<<10), 0o600))
	ca := newCA(t, startServer(t), func(o *vault.Options) { o.Credentials = vault.Kubernetes{Role: "osm", TokenFile: file} })
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, nil, "service account's token", "larger than")
}
