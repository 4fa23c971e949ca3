package main

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/manifests/follow"
)

func TestLimitRangesThatMayNotBeReadAreNotWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		failure error
		known   bool
	}{
		"they are read":  {nil, true},
		"it may not":     {apierrors.NewForbidden(corev1.Resource("limitranges"), "", errors.New("no role")), true},
		"no one answers": {errors.New("connection refused"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				client.PrependReactor("list", "limitranges", func(clienttesting.Action) (bool, runtime.Object, error) {
					return test.failure != nil, nil, test.failure
				})
				unread := &forbidden{what: "limit ranges", logger: slog.New(slog.DiscardHandler)}
				ranges := follow.New[*corev1.LimitRange](client.CoreV1().LimitRanges(""), follow.Options{Client: client, Failed: unread.failed})
				known := func() bool { return ranges.Synced() || unread.is() }
				if known() {
					t.Fatal("known before it was asked")
				}
				go func() { _ = ranges.Run(t.Context()) }()
				synctest.Wait()
				if known() != test.known {
					t.Errorf("known: %v, want %v", known(), test.known)
				}
			})
		})
	}
}
