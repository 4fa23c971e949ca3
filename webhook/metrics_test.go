package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTheEndOfTheCertificateThatIsServedIsAMetric(t *testing.T) {
	source, registry := newSource(), prometheus.NewPedanticRegistry()
	registry.MustRegister(source)
	if n := testutil.CollectAndCount(source); n != 0 {
		t.Errorf("%d series without a certificate", n)
	}
	if err := source.Set(servingSecret(newTestCA(t).issue(t))); err != nil {
		t.Fatal(err)
	}
	certificate, err := source.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`
		# HELP osm_serving_certificate_not_after_timestamp_seconds When the certificate expires that the component serves with, in seconds since 1970, by the Secret that it is from.
		# TYPE osm_serving_certificate_not_after_timestamp_seconds gauge
		osm_serving_certificate_not_after_timestamp_seconds{secret="osm-injector-tls"} %d
	`, certificate.Leaf.NotAfter.Unix())
	if err := source.Set(&corev1.Secret{}); err == nil {
		t.Fatal("an empty Secret was taken")
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
