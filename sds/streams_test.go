package sds_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/testkit"
)

func TestTheServerTellsOfTheStreamsThatAreOpen(t *testing.T) {
	m := newMesh(t)
	ctx, cancel := context.WithCancel(presenting(t.Context(), m.bookstore()))
	defer cancel()
	stream := ask(t, ctx, m.client(), names(ownCert))
	response := receive(t, stream)
	open := m.server.Streams()
	if len(open) != 1 || open[0].Proxy.PodName != "bookstore-v2-abc" || time.Since(open[0].Since) > time.Minute || !open[0].Acked.IsZero() {
		t.Fatalf("open are %v", open)
	}
	send(t, stream, accepting(response, ownCert))
	testkit.Eventually(t, "the stream has acknowledged", func() bool {
		open := m.server.Streams()
		return len(open) == 1 && time.Since(open[0].Acked) < time.Minute
	})
	cancel()
	testkit.Eventually(t, "no stream is open", func() bool { return len(m.server.Streams()) == 0 })
}

func TestTheServerTellsOfTheLatestRefusalsAndOfNoToken(t *testing.T) {
	m := newMesh(t)
	client, token := m.client(), m.bookstore()
	refuse := func(name string) {
		if _, err := ask(t, presenting(t.Context(), token), client, names(name)).Recv(); err == nil {
			t.Fatalf("%s was not refused", name)
		}
	}
	if _, err := ask(t, presenting(t.Context(), token+"x"), client, names(ownCert)).Recv(); err == nil {
		t.Fatal("a token that was tampered with was not refused")
	}
	text, err := json.Marshal(m.server.Refusals())
	if err != nil || strings.Contains(string(text), token[:40]) || !strings.Contains(string(text), `"signature"`) {
		t.Errorf("%s, error %v", text, err)
	}
	for range 50 {
		refuse("everything")
	}
	refuse("service-cert:bookbuyer/bookbuyer")
	latest := m.server.Refusals()
	if len(latest) != 50 || latest[0].Reason == latest[1].Reason || latest[49].Reason != "unknown_secret" {
		t.Fatalf("the latest of %d are %v, the first is %v", len(latest), latest[:2], latest[49])
	}
	if last := latest[0]; last.Message == "" || last.Address == "" || time.Since(last.Time) > time.Minute {
		t.Errorf("the latest is %+v", last)
	}
}
