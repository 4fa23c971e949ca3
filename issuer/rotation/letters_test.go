package rotation

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

var meshLabels = map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm"}

// newRoots returns roots that a test can name by one letter each: a, b, c.
func newRoots(t *testing.T, names string) letters {
	t.Helper()
	l := letters{}
	for _, name := range strings.Split(names, "") {
		root, _, err := tresor.NewRoot()
		if err != nil {
			t.Fatal(err)
		}
		l[name] = root
	}
	return l
}

type letters map[string]*x509.Certificate

func (l letters) bundle(names string) trustbundle.TrustBundle {
	var roots []*x509.Certificate
	for _, name := range strings.Split(names, "") {
		roots = append(roots, l[name])
	}
	return trustbundle.New(roots...)
}

// names returns which roots are trusted, in the order of the alphabet.
func (l letters) names(b trustbundle.TrustBundle) string {
	var names []string
	for name, root := range l {
		if b.Contains(root) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "")
}

// want asks for these roots, the first of which is to sign. Each belongs to an
// authority of its own.
func (l letters) want(names string) Wanted {
	w := Wanted{Trusted: map[string]trustbundle.TrustBundle{}}
	for _, name := range strings.Split(names, "") {
		w.Trusted[name] = l.bundle(name)
	}
	w.Signer = l.bundle(names[:1])
	return w
}

// retiring returns which roots are to be dropped, and how long after now.
func (l letters) retiring(s State, now time.Time) map[string]time.Duration {
	left := map[string]time.Duration{}
	for name, root := range l {
		if until := s.Until(root); !until.IsZero() {
			left[name] = until.Sub(now)
		}
	}
	return left
}

func configMap(namespace string, labels, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ConfigMapName, Labels: labels}, Data: data}
}

// mustDo fails unless the client was asked for these verbs.
func mustDo(t *testing.T, client *fake.Clientset, want string) {
	t.Helper()
	var verbs []string
	for _, action := range client.Actions() {
		verbs = append(verbs, action.GetVerb())
	}
	if got := strings.Join(verbs, " "); got != want {
		t.Errorf("the API server was asked to %q, want %q", got, want)
	}
}
