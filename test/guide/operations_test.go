//go:build cli

package guide

import "testing"

const operations = "docs/operations.md"

func TestTheRootIsBackedUpAndRestoredAsWritten(t *testing.T) {
	r := readOperations(t)
	r.do("osm install")
	r.read("backup")
	r.do("kubectl delete namespace osm-system")
	r.read("restore")
	r.do(`cmp <(jq -r '.data["ca.crt"]' osm-ca-bundle.json) <(kubectl get secret -n osm-system osm-ca-bundle -o json | jq -r '.data["ca.crt"]')`)
}

func TestALeakedRootIsRevokedAsWritten(t *testing.T) {
	r := readOperations(t)
	r.do("osm install")
	r.read("leaked")
}

func TestWhatOsmEdgeLeavesIsFoundAsWritten(t *testing.T) {
	r := readOperations(t)
	r.do("kubectl create namespace bookstore")
	r.do("kubectl create secret generic -n bookstore sidecar-bootstrap-config-9d3c3ad1 --from-literal=bootstrap.yaml=x")
	r.do("kubectl create secret generic -n bookstore other --from-literal=bootstrap.yaml=x")
	r.read("osm-edge")
}

func TestTheMeshIsUninstalledAsWritten(t *testing.T) {
	r := readOperations(t)
	r.do("osm install")
	r.do("kubectl create namespace bookstore && kubectl create deployment bookstore-v2 -n bookstore --image bookstore")
	r.do("osm namespace add bookstore")
	r.read("uninstall")
}

func readOperations(t *testing.T) *reader {
	t.Helper()
	t.Parallel()
	c, _ := startCluster(t)
	return newReader(t, c, operations, nil)
}
