package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault/names"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// vaultToken is a token for Vault that is kept in a Secret. One that is taken
// away stays, for as long as Vault takes it.
type vaultToken struct {
	ref     v1.SecretKeyReference
	address string        // that it is sent to
	changed chan struct{} // one slot: it, or what is wrong with it, is another
	renewed chan struct{} // one slot: it is another

	mu    sync.Mutex
	token string
	wrong *problem
}

func newVaultToken(ref v1.SecretKeyReference, address string) *vaultToken {
	return &vaultToken{ref: ref, address: address, changed: make(chan struct{}, 1), renewed: make(chan struct{}, 1)}
}

// follow reads the Secret whenever it changes.
func (t *vaultToken) follow(ctx context.Context, p *Provider) {
	first := true
	p.followSecret(ctx, t.ref.Name, func(secret *corev1.Secret, err error) {
		token, wrong := "", p.unreadable(secret, t.ref.Name, "with the token for Vault: create it", err)
		if wrong == nil {
			wrong = t.bound(secret, p.options)
		}
		if wrong == nil {
			token, wrong = t.of(secret)
		}
		if t.set(token, wrong) || first {
			first = false
			wake(t.changed)
		}
	})
}

// bound refuses a Secret whose owner does not say that it may be sent to where
// the MeshRootCertificate has Vault: the writers of those need no right to read Secrets.
func (t *vaultToken) bound(secret *corev1.Secret, o Options) *problem {
	named, annotated := secret.Annotations[v1.AnnotationVaultAddress]
	switch {
	case annotated && names.Same(named, t.address):
		return nil
	case annotated:
		return &problem{reasonRefused, fmt.Errorf("secret %s/%s may not be sent to %s: its annotation %s names another address%[5]sif it may, kubectl annotate --overwrite secret -n %[1]s %[2]s %[4]s=%[3]s, or set osm.vault.protocol, host and port, where the chart made the Secret",
			secret.Namespace, secret.Name, t.address, v1.AnnotationVaultAddress, issuer.ToFix)}
	case t.ref == o.VaultToken && names.Same(o.VaultAddress, t.address):
		return nil
	}
	return &problem{reasonRefused, fmt.Errorf("secret %s/%s has no annotation that it may be sent to %s%[5]sif it may, kubectl annotate secret -n %[1]s %[2]s %[4]s=%[3]s",
		secret.Namespace, secret.Name, t.address, v1.AnnotationVaultAddress, issuer.ToFix)}
}

func (t *vaultToken) of(secret *corev1.Secret) (string, *problem) {
	token := strings.TrimSpace(strings.TrimPrefix(string(secret.Data[t.ref.Key]), "\ufeff"))
	put := fmt.Sprintf("%sput the token there, from a file of that name: kubectl create secret generic %s -n %s --from-file=%s --dry-run=client -o yaml | kubectl apply -f -",
		issuer.ToFix, secret.Name, secret.Namespace, t.ref.Key)
	if token == "" {
		return "", &problem{reasonSecretMissing, fmt.Errorf("secret %s/%s has no token for Vault: key %q is missing or empty%s", secret.Namespace, secret.Name, t.ref.Key, put)}
	}
	if err := names.CheckToken(token); err != nil {
		return "", &problem{reasonRefused, fmt.Errorf("secret %s/%s has no token for Vault in key %q: %w%s", secret.Namespace, secret.Name, t.ref.Key, err, put)}
	}
	return token, nil
}

// set takes in what the Secret says, and reports whether that is new.
func (t *vaultToken) set(token string, wrong *problem) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := t.wrong.text() != wrong.text()
	t.wrong = wrong
	if token != "" && token != t.token {
		t.token, changed = token, true
		wake(t.renewed)
	}
	return changed
}

// changes receives when the token, or what is wrong with it, is another; never
// without a Secret.
func (t *vaultToken) changes() <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.changed
}

// problem returns what is wrong with the token, nothing without a Secret.
func (t *vaultToken) problem() *problem {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wrong
}

// read is for the Credentials of Vault.
func (t *vaultToken) read(context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.token != "":
		return t.token, nil
	case t.wrong != nil:
		return "", t.wrong.err
	}
	return "", errors.New("its secret is not read yet")
}
