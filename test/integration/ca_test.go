//go:build cli

package integration

import (
	"context"
	"encoding/pem"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestCARotateShowsHowTheRootIsReplaced(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	runProxy(t, c, client, deploy(t, client, "books", "bookbuyer"))
	shown := func(args ...string) string {
		out, problem, code := osm(t, c.Kubeconfig(), args...)
		t.Logf("osm %s\n%s%s", strings.Join(args, " "), out, problem)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		if strings.Contains(out+problem, "PRIVATE") {
			t.Error("a key is shown")
		}
		return out
	}
	before := readRoot(t, client).Certificate
	contain(t, shown("ca", "show"), "issuer osm-mesh-root-certificate", "Active, signs", "in Secret osm-system/osm-ca-bundle", before.Subject.String(), "in 3649 days", "replacement none")
	contain(t, shown("ca", "rotate"), "new root", "distribute:", "acknowledged it", "sign:", "retire:", "is trusted until", "the root is replaced")
	after := readRoot(t, client).Certificate
	if after.Equal(before) {
		t.Error("the root is the old one")
	}
	contain(t, shown("ca", "show"), before.Subject.String(), "retiring until", after.Subject.String(), "signing")
	roots, err := trustbundle.Parse([]byte(shown("ca", "export")))
	if err != nil || len(roots.Roots()) != 2 {
		t.Errorf("exported %s, %v", roots, err)
	}

	t.Run("and leaves a root alone that is the operator's", func(t *testing.T) {
		own := newPair(t, nil)
		secret := getSecret(t, client, rootSecret)
		secret.Data = map[string][]byte{"ca.crt": own.cert, "private.key": own.key}
		if _, err := client.CoreV1().Secrets(mesh.Namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		testkit.Condition(t, "the refusal", func(context.Context) (bool, error) {
			_, problem, code := osm(t, c.Kubeconfig(), "ca", "rotate")
			return code == 1 && strings.Contains(problem, "the mesh did not make"), nil
		})
		if block, _ := pem.Decode(getSecret(t, client, rootSecret).Data["ca.crt"]); block == nil {
			t.Error("the root is gone")
		}
	})
}

func contain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not said", part)
		}
	}
}
