package main

import (
	"context"
	"testing"
	"testing/synctest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestAChangeOfWhatIsWatchedIsToldOnceUntilItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scheme := runtime.NewScheme()
		if err := metav1.AddMetaToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		client := metadatafake.NewSimpleMetadataClient(scheme)
		objects := watched(&defaults)
		c := newChanges(client, objects)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		synctest.Wait()
		mustTell(t, c, false)

		for _, o := range objects {
			meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: o.name}}
			if err := client.Tracker().Create(o.resource, meta, o.namespace); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		mustTell(t, c, true)
		mustTell(t, c, false)
		if err := client.Tracker().Delete(objects[0].resource, objects[0].namespace, objects[0].name); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mustTell(t, c, true)

		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, action := range client.Actions() {
			resource := action.GetResource().Resource
			if list, ok := action.(clienttesting.ListAction); ok && list.GetListRestrictions().Fields.Empty() && resource != "meshrootcertificates" {
				t.Errorf("all %s are read", resource)
			}
		}
	})
}

func mustTell(t *testing.T, c *changes, want bool) {
	t.Helper()
	select {
	case <-c.signal:
		if !want {
			t.Error("told of a change")
		}
	default:
		if want {
			t.Error("not told of a change")
		}
	}
}
