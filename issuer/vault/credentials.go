package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer/vault/names"
)

// Credentials say to Vault who asks. See [Token] and [Kubernetes].
type Credentials interface {
	// Login returns a token and, as far as it is known, how long it lives. The
	// client has none. What it returns may be the same as before.
	Login(ctx context.Context, client *api.Client) (*api.SecretAuth, error)

	// Changed receives when Login would return another token than before; nil
	// if that is not known.
	Changed() <-chan struct{}
}

// maxCredential bounds what is read of a file: more than any token has.
const maxCredential = 64 << 10

// Token is a token that the user provides. It is renewed here.
type Token struct {
	// Read returns the latest token. Required.
	Read func(ctx context.Context) (string, error)
	// Renewed receives whenever Read would return another one; nil if nothing
	// tells. A token that Vault refuses, or that ends, is read again anyway.
	Renewed <-chan struct{}
}

// Changed implements Credentials.
func (t Token) Changed() <-chan struct{} { return t.Renewed }

// Login implements Credentials.
func (t Token) Login(ctx context.Context, client *api.Client) (*api.SecretAuth, error) {
	token, err := t.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the token for vault: %w", err)
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, errors.New("read the token for vault: it is empty")
	}
	if err := names.CheckToken(token); err != nil {
		return nil, fmt.Errorf("read the token for vault: %w", err)
	}
	client.SetToken(token)
	auth := &api.SecretAuth{ClientToken: token}
	self, err := client.Auth().Token().LookupSelfWithContext(ctx)
	if status(err) == http.StatusForbidden {
		return auth, nil // its policy may not let it ask; what it is good for will show
	}
	if err != nil {
		return nil, err
	}
	if err := unlimited(self); err != nil {
		return nil, err
	}
	ttl, err := self.TokenTTL()
	if err != nil {
		return nil, fmt.Errorf("how long the token lives: %w", err)
	}
	auth.LeaseDuration = int(ttl.Seconds())
	auth.Renewable, err = self.TokenIsRenewable()
	return auth, err
}

// Kubernetes logs in with a service account's token, by Vault's auth method of
// that name.
type Kubernetes struct {
	// Mount is the path of the auth method; "kubernetes" when empty.
	Mount string
	// Role is that of the auth method. Required.
	Role string
	// TokenFile holds the service account's token and is read for each login,
	// for the kubelet replaces it. Required.
	TokenFile string
}

// Changed implements Credentials.
func (k Kubernetes) Changed() <-chan struct{} { return nil }

// Login implements Credentials.
func (k Kubernetes) Login(ctx context.Context, client *api.Client) (*api.SecretAuth, error) {
	jwt, err := readCredential(k.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the service account's token: %w", err)
	}
	mount := k.mount()
	secret, err := client.Logical().WriteWithContext(ctx, path.Join("auth", mount, "login"), map[string]any{"role": k.Role, "jwt": jwt})
	if err != nil {
		return nil, k.explain(mount, err)
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return nil, fmt.Errorf("the login at auth/%s gave no token", mount)
	}
	return secret.Auth, nil
}

func (k Kubernetes) mount() string { return names.Mount(cmp.Or(k.Mount, "kubernetes")) }

func (k Kubernetes) check() error {
	if err := names.CheckMount(cmp.Or(k.Mount, "kubernetes")); err != nil {
		return fmt.Errorf("mount %q of vault's auth method: %w", k.Mount, err)
	}
	if err := names.CheckRole(k.Role); err != nil {
		return fmt.Errorf("role %q of vault's auth method: %w", k.Role, err)
	}
	return nil
}

func (k Kubernetes) explain(mount string, err error) error {
	switch status(err) {
	case http.StatusForbidden:
		return fmt.Errorf("the login at auth/%s was denied: an auth method of kubernetes must be mounted there, and its role %q must be bound to this service account and its namespace, and Vault must be allowed to review tokens: %w", mount, k.Role, ErrDenied)
	case http.StatusBadRequest:
		return fmt.Errorf("the login at auth/%s was refused: %s", mount, reason(err))
	}
	return err
}

func readCredential(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCredential+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxCredential {
		return "", fmt.Errorf("%s is larger than %d bytes", name, maxCredential)
	}
	return strings.TrimSpace(string(text)), nil
}
