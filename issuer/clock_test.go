package issuer_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestACertificateIsValidForClocksThatAreFiveMinutesApart(t *testing.T) {
	ca := testkit.CA(t)
	m := newManager(t, issuer.Options{}, signs("a", ca))
	cert, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1"))
	if err != nil {
		t.Fatal(err)
	}
	roots := m.Bundle().Pool()
	for _, skew := range []time.Duration{-issuer.ClockSkew + time.Second, 0, issuer.ClockSkew} {
		_, err := cert.Leaf().Verify(x509.VerifyOptions{Roots: roots, CurrentTime: time.Now().Add(skew), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			t.Errorf("by a clock that is %s ahead: %v", skew, err)
		}
	}
}

func TestWhenEverythingHasEndedItIsIssuedAnewAFewAtATime(t *testing.T) {
	const identities, atOnce = 500, 4
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		var asking, most atomic.Int64
		fake.before = func(context.Context) error {
			most.Store(max(most.Load(), asking.Add(1)))
			defer asking.Add(-1)
			time.Sleep(10 * time.Millisecond)
			if down.Load() {
				return errDown
			}
			return nil
		}
		m := startManager(t, issuer.Options{Concurrency: atOnce}, signs("a", fake))
		for i := range identities {
			subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
		}
		pass(time.Minute)
		if current, total := m.Progress(); current != identities || total != identities {
			t.Fatalf("%d of %d have certificates", current, total)
		}
		down.Store(true)
		pass(2 * day)
		if current, _ := m.Progress(); current != 0 {
			t.Errorf("%d have valid certificates", current)
		}
		down.Store(false)
		pass(2 * time.Minute)
		if current, total := m.Progress(); current != total {
			t.Errorf("two minutes after the issuer is back, %d of %d have certificates", current, total)
		}
		if n := most.Load(); n > atOnce {
			t.Errorf("%d were asked for at once", n)
		}
	})
}
