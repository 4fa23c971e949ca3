package webhook_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/webhook"
)

// certificatesSeeds are what a lax reader accepts, and a strict one does not.
func certificatesSeeds(tb testing.TB) map[string][]byte {
	good := newTestCA(tb).pem()
	return map[string][]byte{
		"a truncated block before a good one": slices.Concat(good[:len(good)/2], []byte("\n"), good),
		"a block with headers":                bytes.Replace(good, []byte("\n"), []byte("\nComment: root\n\n"), 1),
		"a malformed block before a good one": slices.Concat([]byte("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"), good),
		"an end alone after it":               slices.Concat(good, []byte("-----END CERTIFICATE-----\n")),
	}
}

func TestPublishRefusesWhatTheMeshDoesNotRead(t *testing.T) {
	for name, bundle := range certificatesSeeds(t) {
		if changed, err := newFakeCluster().caBundles().Publish(t.Context(), bundle); err == nil || changed {
			t.Errorf("%s: changed %v, error %v", name, changed, err)
		}
	}
}

func TestPublishLeavesOutWhatIsNoCertificate(t *testing.T) {
	good, cluster := newTestCA(t).pem(), newFakeCluster()
	if _, err := cluster.caBundles().Publish(t.Context(), slices.Concat([]byte("\ufeff# root\r\n"), good, good)); err != nil {
		t.Fatal(err)
	}
	for where, bundle := range cluster.published(t) {
		if !bytes.Equal(bundle, good) {
			t.Errorf("%s: published\n%s", where, bundle)
		}
	}
}

// FuzzPublish holds that a caBundle is what the mesh reads as a trust bundle's
// certificates, no more and no less.
func FuzzPublish(f *testing.F) {
	for _, seed := range certificatesSeeds(f) {
		f.Add(seed)
	}
	f.Add(newTestCA(f).pem())
	bundles := webhook.NewCABundles(webhook.CABundlesOptions{})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, published := bundles.Publish(t.Context(), data)
		_, read := trustbundle.ParseCertificates(data)
		if (published == nil) != (read == nil) {
			t.Errorf("published with %v, and read with %v", published, read)
		}
	})
}
