package rootsecret

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var labels = map[string]string{"app.kubernetes.io/name": "openservicemesh.io"}

// newStore returns a Store of an API server with these objects.
func newStore(objects ...runtime.Object) (*Store, *fake.Clientset) {
	client := fake.NewClientset(objects...)
	return &Store{Secrets: client.CoreV1().Secrets("osm-system"), Name: "osm-ca-bundle", Labels: labels}, client
}

func makes(root Root) func() (Root, error) { return func() (Root, error) { return root, nil } }

func makesNone(t *testing.T) func() (Root, error) {
	return func() (Root, error) {
		t.Error("a root is made though there is one")
		return Root{}, errors.New("no root")
	}
}

func stored(t *testing.T, client *fake.Clientset) *corev1.Secret {
	t.Helper()
	secret, err := client.CoreV1().Secrets("osm-system").Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// mustDo fails unless the client was asked for these verbs.
func mustDo(t *testing.T, client *fake.Clientset, want string) {
	t.Helper()
	var verbs []string
	for _, action := range client.Actions() {
		verbs = append(verbs, action.GetVerb())
	}
	if got := strings.Join(verbs, " "); got != want {
		t.Errorf("the API server was asked to %s, want %s", got, want)
	}
}

func TestTheFirstRootIsCreated(t *testing.T) {
	root := newRoot(t)
	store, client := newStore()
	got, err := store.Ensure(t.Context(), makes(root))
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get create")
	secret := stored(t, client)
	if !got.Certificate.Equal(root.Certificate) || !sameKey(got, root) {
		t.Error("another root is returned")
	}
	if secret.Type != corev1.SecretTypeOpaque || !maps.Equal(secret.Labels, labels) || !equality.Semantic.DeepEqual(secret.Data, dataOf(t, root)) {
		t.Errorf("created a secret of type %s, labels %v and keys %q", secret.Type, secret.Labels, slices.Sorted(maps.Keys(secret.Data)))
	}
}

func TestARootThatIsThereIsAdoptedAndNotTouched(t *testing.T) {
	root := newRoot(t)
	store, client := newStore(secretOf(dataOf(t, root)))
	got, err := store.Ensure(t.Context(), makesNone(t))
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get")
	if !got.Certificate.Equal(root.Certificate) || !sameKey(got, root) {
		t.Error("another root is returned")
	}
}

func TestTheLoserOfARaceAdoptsTheWinnersRoot(t *testing.T) {
	winner := newRoot(t)
	store, client := newStore()
	client.PrependReactor("create", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		if err := client.Tracker().Add(secretOf(dataOf(t, winner))); err != nil {
			t.Error(err)
		}
		return false, nil, nil
	})
	got, err := store.Ensure(t.Context(), makes(newRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get create get")
	if !got.Certificate.Equal(winner.Certificate) {
		t.Error("the loser goes on with its own root")
	}
}

func TestOnlyAMissingExpirationIsAdded(t *testing.T) {
	root := newRoot(t)
	complete := dataOf(t, root)
	secret := secretOf(maps.Clone(complete))
	delete(secret.Data, ExpirationKey)
	secret.Data["note"] = []byte("of the platform team")
	secret.Labels = map[string]string{"team": "platform"}
	store, client := newStore(secret.DeepCopy())
	if _, err := store.Ensure(t.Context(), makesNone(t)); err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get patch")
	want := secret.DeepCopy()
	want.Data[ExpirationKey] = complete[ExpirationKey]
	if got := stored(t, client); !equality.Semantic.DeepEqual(got.Data, want.Data) || !maps.Equal(got.Labels, want.Labels) || got.Type != want.Type {
		t.Error("more changed than the expiration")
	}
	if _, err := store.Ensure(t.Context(), makesNone(t)); err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get patch get get")
}

func TestARefusedSecretIsNotWritten(t *testing.T) {
	whole, foreign := dataOf(t, newRoot(t)), dataOf(t, newRoot(t))
	tests := map[string]map[string][]byte{
		"empty":                      {},
		"garbage":                    {CertificateKey: []byte("garbage"), PrivateKeyKey: []byte("garbage")},
		"another certificate's key":  {CertificateKey: whole[CertificateKey], PrivateKeyKey: foreign[PrivateKeyKey]},
		"an expiration out of place": {CertificateKey: whole[CertificateKey], PrivateKeyKey: whole[PrivateKeyKey], ExpirationKey: []byte("never")},
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			store, client := newStore(secretOf(data))
			_, err := store.Ensure(t.Context(), makesNone(t))
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("error %v, want a RefusedError", err)
			}
			mustDo(t, client, "get")
		})
	}
}

func TestASecretThatIsReplacedMeanwhileIsReadAgain(t *testing.T) {
	first, second := dataOf(t, newRoot(t)), newRoot(t)
	delete(first, ExpirationKey)
	store, client := newStore(secretOf(first))
	client.PrependReactor("patch", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if err := client.Tracker().Update(action.GetResource(), secretOf(dataOf(t, second)), "osm-system"); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewConflict(corev1.Resource("secrets"), "osm-ca-bundle", errors.New("it was replaced"))
	})
	got, err := store.Ensure(t.Context(), makesNone(t))
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, client, "get patch get")
	if !got.Certificate.Equal(second.Certificate) {
		t.Error("the root of a secret that is no more is returned")
	}
}

func TestAPatchOfTheExpirationNamesTheVersionThatWasRead(t *testing.T) {
	data := dataOf(t, newRoot(t))
	delete(data, ExpirationKey)
	secret := secretOf(data)
	secret.ResourceVersion = "42"
	store, client := newStore(secret)
	if _, err := store.Ensure(t.Context(), makesNone(t)); err != nil {
		t.Fatal(err)
	}
	patch, ok := client.Actions()[1].(clienttesting.PatchAction)
	if !ok || !strings.Contains(string(patch.GetPatch()), `"resourceVersion":"42"`) {
		t.Error("the patch would also take another version of the secret")
	}
}

func TestWhatKeepsARootFromBeingMadeIsSaid(t *testing.T) {
	store, client := newStore()
	_, err := store.Ensure(t.Context(), func() (Root, error) { return Root{}, errors.New("no entropy") })
	if err == nil || !strings.Contains(err.Error(), "osm-ca-bundle: no entropy") {
		t.Errorf("error %v", err)
	}
	mustDo(t, client, "get")
}
