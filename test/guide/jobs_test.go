//go:build cli

package guide

import "testing"

func TestTheRootIsBackedUpAndRestoredAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("osm install")
	r.read("backup.md", "backup")
	r.do("kubectl delete namespace osm-system")
	r.read("backup.md", "restore")
	r.do(`cmp <(jq -r '.data["ca.crt"]' osm-ca-bundle.json) <(kubectl get secret -n osm-system osm-ca-bundle -o json | jq -r '.data["ca.crt"]')`)
}

func TestALeakedRootIsRevokedAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("osm install")
	r.read("revoke.md", "leaked")
}

func TestNamespacesAreManagedAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("osm install")
	r.do("for name in bookstore bookbuyer monitoring; do kubectl create namespace $name; done")
	r.read("injection.md", "namespaces")
}

func TestTheMeshIsUpgradedAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("osm install")
	r.do("kubectl create namespace bookstore && osm namespace add bookstore && kubectl create deployment bookstore-v2 -n bookstore --image bookstore")
	r.do("kubectl wait pod -n bookstore -l osm-proxy-uuid --for=create --timeout=1m")
	r.read("upgrade.md", "upgrade")
}

func TestWhatOsmEdgeLeavesIsFoundAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("kubectl create namespace bookstore")
	r.do("kubectl create secret generic -n bookstore sidecar-bootstrap-config-9d3c3ad1 --from-literal=bootstrap.yaml=x")
	r.do("kubectl create secret generic -n bookstore other --from-literal=bootstrap.yaml=x")
	r.read("upgrade.md", "osm-edge")
}

func TestTheFirstInstallationWorksAsWritten(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	deployBookstore(t, client)
	r := newReader(t, c, map[string]string{"REGISTRY": "flomesh", "TAG": "0.1.0", "RANGES": "10.0.0.0/8"})
	r.read("get-started.md", "install")
}

func TestTheMeshIsUninstalledAsWritten(t *testing.T) {
	r := newOperator(t)
	r.do("osm install")
	r.do("kubectl create namespace bookstore && kubectl create deployment bookstore-v2 -n bookstore --image bookstore")
	r.do("osm namespace add bookstore")
	r.read("uninstall.md", "uninstall")
}

func newOperator(t *testing.T) *reader {
	t.Helper()
	t.Parallel()
	c, _ := startCluster(t)
	return newReader(t, c, nil)
}
