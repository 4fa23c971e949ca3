package rootsecret

import (
	"bytes"
	"crypto/x509"
	"errors"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

// labelled is a Secret that a mesh of another version made.
func labelled(data map[string][]byte) *corev1.Secret {
	secret := secretOf(data)
	secret.Labels = maps.Clone(labels)
	secret.Labels[versionLabel] = "v0"
	return secret
}

func TestARootThatTheMeshMadeIsRenewedInPlace(t *testing.T) {
	old, next := newRoot(t), newRoot(t)
	store, client := newStore(labelled(dataOf(t, old)))
	got, renewed, err := store.Renew(t.Context(), old, makes(next))
	if err != nil || !renewed || !got.Certificate.Equal(next.Certificate) {
		t.Fatalf("renewed: %t, error %v", renewed, err)
	}
	mustDo(t, client, "get patch")
	secret := stored(t, client)
	if !maps.EqualFunc(secret.Data, dataOf(t, next), bytes.Equal) || secret.Labels[versionLabel] != "v0" {
		t.Errorf("the secret has %d keys and labels %v", len(secret.Data), secret.Labels)
	}
}

func TestARootThatWasReplacedMeanwhileIsNotRenewed(t *testing.T) {
	old, theirs := newRoot(t), newRoot(t)
	t.Run("before", func(t *testing.T) {
		store, client := newStore(labelled(dataOf(t, theirs)))
		mustAdopt(t, store, old, theirs)
		mustDo(t, client, "get")
	})
	t.Run("at the same time", func(t *testing.T) {
		store, client := newStore(labelled(dataOf(t, old)))
		client.PrependReactor("patch", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			secrets := corev1.SchemeGroupVersion.WithResource("secrets")
			if err := client.Tracker().Update(secrets, labelled(dataOf(t, theirs)), "osm-system"); err != nil {
				t.Error(err)
			}
			return true, nil, apierrors.NewConflict(corev1.Resource("secrets"), "osm-ca-bundle", nil)
		})
		mustAdopt(t, store, old, theirs)
	})
}

func mustAdopt(t *testing.T, store *Store, old, want Root) {
	t.Helper()
	got, renewed, err := store.Renew(t.Context(), old, makes(newRoot(t)))
	if err != nil || renewed || !got.Certificate.Equal(want.Certificate) {
		t.Errorf("renewed: %t, error %v", renewed, err)
	}
}

func TestASecretThatTheMeshDidNotMakeIsNotRenewed(t *testing.T) {
	root := newRoot(t)
	other := labelled(dataOf(t, root))
	other.Labels["app.kubernetes.io/name"] = "other"
	for name, secret := range map[string]*corev1.Secret{"it has no labels": secretOf(dataOf(t, root)), "it has other labels": other} {
		t.Run(name, func(t *testing.T) {
			store, client := newStore(secret)
			if _, renewed, err := store.Renew(t.Context(), root, makesNone(t)); renewed || !errors.Is(err, ErrForeign) {
				t.Errorf("renewed: %t, error %v", renewed, err)
			}
			mustDo(t, client, "get")
		})
	}
}

func TestARefusedRootIsNotRenewed(t *testing.T) {
	expired := rootOf(t, newECKey(t), func(c *x509.Certificate) { c.NotAfter = c.NotBefore })
	store, client := newStore(labelled(dataOf(t, expired)))
	var refused *RefusedError
	if _, renewed, err := store.Renew(t.Context(), expired, makesNone(t)); renewed || !errors.As(err, &refused) {
		t.Errorf("renewed: %t, error %v", renewed, err)
	}
	mustDo(t, client, "get")
}
