package provider

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// A replica that starts does not know the roots of what is away, and has the mesh
// trust them all the same.
func TestRootsThatARestartedReplicaDoesNotKnowStayTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := startTresor(t)
		first, second := before.makeRoot(t, "osm-ca-bundle"), before.makeRoot(t, "second")
		before.create(t, "second", v1.Passive, tresorOf("second"))
		settle()
		before.mustSign(t, first, first, second)
		state, _ := before.fakeRotation.State()

		m := newMeshOn(t, before.client, certManagerNowhere)
		before.deleteSecret(t, "second")
		m.set(func(r *fakeRotation) { r.state = state })
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		m.create(t, "second", v1.Passive, tresorOf("second"))
		m.run(t)
		settle()
		m.mustSign(t, first, first, second)
		m.wantStatus(t, "second", "False SecretMissing", "False RootsUnknown")
		m.retire()
		m.mustSign(t, first, first, second)
	})
}

func TestAStatusThatCannotBeWrittenDoesNotKeepOthersFromTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		m.roots.server.PrependReactor("update", "meshrootcertificates", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if object, ok := action.(clienttesting.UpdateAction).GetObject().(*v1.MeshRootCertificate); ok && object.Name == "second" {
				return true, nil, errors.New("forbidden by a policy")
			}
			return false, nil, nil
		})
		m.makeRoot(t, "osm-ca-bundle")
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		m.create(t, "second", v1.Passive, tresorOf("second"))
		m.run(t)
		settle()
		m.wantStatus(t, "first", "True Reached", "True Signing")
		if !strings.Contains(m.logged.String(), "write the status of MeshRootCertificate second: forbidden by a policy") {
			t.Errorf("it is not logged:\n%s", &m.logged)
		}
	})
}
