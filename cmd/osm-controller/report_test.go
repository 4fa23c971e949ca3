package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
)

func mustIdentity(t *testing.T, account string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhatIsToldOfACertificateHoldsNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager := issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)})
		issuertest.Trust(t, manager, "root", testkit.CA(t))
		ids := []identity.Identity{mustIdentity(t, "bookstore-v1"), mustIdentity(t, "bookstore-v2")}
		for _, id := range ids {
			defer manager.Subscribe(id).Close()
		}
		certificate, err := manager.IssueCertificate(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		published := certificatesOf(manager.Holdings(), rotation.State{}, []status.Proxy{
			{Namespace: "bookstore", ServiceAccount: "bookstore-v1"}, {Namespace: "bookstore", ServiceAccount: "bookstore-v1"},
			{Namespace: "bookbuyer", ServiceAccount: "bookstore-v1"},
		})
		leaf := certificate.Leaf()
		if len(published) != 2 || published[0].Serial != leaf.SerialNumber.Text(16) || !published[0].NotAfter.Equal(leaf.NotAfter) || published[0].Proxies != 2 {
			t.Errorf("published %+v", published)
		}
		if published[1].Serial != "" || !published[1].NotAfter.IsZero() || published[1].SPIFFEID != ids[1].String() {
			t.Errorf("of one that is not issued, published %+v", published[1])
		}
		text, err := json.Marshal(published)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(certificate.KeyPEM()), "\n") {
			if line != "" && strings.Contains(string(text), line) {
				t.Errorf("a line of the key is in %s", text)
			}
		}
	})
}

func TestTheStreamsOfAPodAreToldAsOneProxy(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stream := func(pod string, after, acked time.Duration) sds.Stream {
		s := sds.Stream{
			Proxy: sds.Proxy{Identity: mustIdentity(t, "bookstore"), Namespace: "bookstore", PodName: pod, PodUID: types.UID(pod)},
			Since: began.Add(after),
		}
		if acked != 0 {
			s.Acked = began.Add(acked)
		}
		return s
	}
	published := connected([]sds.Stream{stream("b", time.Second, 0), stream("a", 3*time.Second, time.Minute), stream("b", 0, time.Hour), stream("b", 2*time.Second, time.Minute)})
	if len(published) != 2 || published[0].Pod != "a" || published[0].Streams != 1 {
		t.Fatalf("published %+v", published)
	}
	if b := published[1]; b.Streams != 3 || !b.Since.Equal(began) || !b.Acked.Equal(began.Add(time.Hour)) {
		t.Errorf("published %+v", b)
	}
}

func TestEachRootIsToldWithItsStage(t *testing.T) {
	former, next := trustbundle.New(testkit.CA(t).Root()), trustbundle.New(testkit.CA(t).Root())
	situation := rotation.Situation{Now: time.Now(), AckTimeout: time.Hour, RetirementPeriod: time.Hour}
	state := rotation.State{}.Next(rotation.Wanted{Trusted: map[string]trustbundle.TrustBundle{"former": former}, Signer: former}, situation)
	wanted := rotation.Wanted{Trusted: map[string]trustbundle.TrustBundle{"next": next}, Signer: next}
	stages := func() string {
		var all []string
		for _, root := range rootsOf(state) {
			all = append(all, root.Authority+" "+string(root.Stage))
		}
		return strings.Join(all, ", ")
	}
	if got := stages(); got != "former signing" {
		t.Errorf("at first, %s", got)
	}
	state = state.Next(wanted, situation)
	if got := stages(); got != "former signing, next distributing" {
		t.Errorf("then, %s", got)
	}
	situation.Acknowledged, situation.Now = true, situation.Now.Add(time.Minute)
	state = state.Next(wanted, situation)
	if got := stages(); got != "next signing, former retiring" {
		t.Errorf("when it is acknowledged, %s", got)
	}
}
