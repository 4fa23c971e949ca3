package integration

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

var circuitOpen = regexp.MustCompile(`(?m)^osm_issuer_circuit_open\{.*\} 1$`)

// testSealedVault seals Vault, and has a pod of a new service account come meanwhile.
func testSealedVault(t *testing.T, m signed, vault *authority.Vault) {
	controller, err := mesh.Pod(testkit.Context(t, time.Minute), m.client, mesh.Namespace, "osm-controller")
	if err != nil {
		t.Fatal(err)
	}
	ops := func(path string) string {
		return get(t, m.cluster, net.JoinHostPort(controller.Status.PodIP, "9091"), path)
	}
	if err := vault.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := startProxy(t, m.cluster, m.client, deploy(t, m.client, "bookstore", "bookstore-v2"))
	testkit.Condition(t, "the circuit is open", func(context.Context) (bool, error) { return circuitOpen.MatchString(ops("/metrics")), nil })
	if got := ops("/readyz"); !strings.HasPrefix(got, "ok\nwarning: the issuer of root ") {
		t.Errorf("/readyz: %q", got)
	}
	m.awaitEvent(t, "IssuerFails")
	if err := sidecar.Fetch(testkit.Context(t, 20*time.Second), proxyOptions(t, m.cluster, m.client, m.pod), ownSecret); err != nil {
		t.Errorf("a certificate that is there is not served: %v", err)
	}
	if err := vault.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	state, err := late.Wait(testkit.Context(t, 90*time.Second), sidecar.State.Ready)
	if err != nil {
		t.Fatal(err)
	}
	if err := chainError(state, m.root); err != nil {
		t.Error(err)
	}
	m.awaitEvent(t, "IssuerWorks")
	if circuitOpen.MatchString(ops("/metrics")) || ops("/readyz") != "ok\n" {
		t.Errorf("the issuer works, and /readyz says %q", ops("/readyz"))
	}
}

func (m signed) awaitEvent(t *testing.T, reason string) {
	t.Helper()
	testkit.Condition(t, "the Event "+reason, func(ctx context.Context) (bool, error) {
		events, err := m.client.EventsV1().Events(mesh.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
		return err == nil && len(events.Items) > 0, err
	})
}
