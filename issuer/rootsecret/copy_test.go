package rootsecret

import (
	"bytes"
	"crypto/x509"
	"maps"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

func TestRootsWhoseKeysAreElsewhereAreShown(t *testing.T) {
	old, root, short := newRoot(t), newRoot(t), rootOf(t, newECKey(t), func(*x509.Certificate) {})
	shown := trustbundle.New(root.Certificate, short.Certificate)
	tests := map[string]struct {
		before map[string][]byte // nil: there is no Secret
		verbs  string
	}{
		"where there is no Secret": {nil, "get create"},
		"in an empty Secret":       {map[string][]byte{}, "get patch"},
		"instead of others":        {without(dataOf(t, old), PrivateKeyKey), "get patch"},
		"again":                    {map[string][]byte{CertificateKey: shown.PEM(), ExpirationKey: []byte(short.Certificate.NotAfter.UTC().Format(expirationLayout))}, "get"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store, client := newStore()
			if test.before != nil {
				store, client = newStore(secretOf(test.before))
			}
			if err := store.Copy(t.Context(), shown); err != nil {
				t.Fatal(err)
			}
			mustDo(t, client, test.verbs)
			got, err := ParseRoots(stored(t, client), "", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(shown) {
				t.Errorf("shown are %s, want %s", got, shown)
			}
			want := short.Certificate.NotAfter.UTC().Format(expirationLayout)
			if got := string(stored(t, client).Data[ExpirationKey]); got != want {
				t.Errorf("expiration is %s, want that of the first to end, %s", got, want)
			}
		})
	}
}

func TestASecretWithAPrivateKeyIsNotCopiedOver(t *testing.T) {
	for name, key := range map[string][]byte{"a good one": nil, "an empty one": {}, "garbage": []byte("garbage")} {
		t.Run(name, func(t *testing.T) {
			before := dataOf(t, newRoot(t))
			if key != nil {
				before[PrivateKeyKey] = key
			}
			store, client := newStore(secretOf(maps.Clone(before)))
			if err := store.Copy(t.Context(), trustbundle.New(newRoot(t).Certificate)); err != nil {
				t.Fatal(err)
			}
			mustDo(t, client, "get")
			if !maps.EqualFunc(stored(t, client).Data, before, bytes.Equal) {
				t.Error("it is changed")
			}
		})
	}
}

func TestAKeyThatIsPutThereMeanwhileIsNotCopiedOver(t *testing.T) {
	store, client := newStore(secretOf(map[string][]byte{}))
	mine := secretOf(dataOf(t, newRoot(t)))
	lost := false
	client.PrependReactor("patch", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		if lost {
			return false, nil, nil
		}
		lost = true
		if err := client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("secrets"), mine, mine.Namespace); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewConflict(corev1.Resource("secrets"), mine.Name, nil)
	})
	if err := store.Copy(t.Context(), trustbundle.New(newRoot(t).Certificate)); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(stored(t, client).Data, mine.Data, bytes.Equal) {
		t.Error("it is changed")
	}
}

func without(data map[string][]byte, key string) map[string][]byte {
	delete(data, key)
	return data
}
