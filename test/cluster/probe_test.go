package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestAReadinessProbeIsAnHTTPRequestToThePod(t *testing.T) {
	get := func(a corev1.HTTPGetAction) corev1.ProbeHandler { return corev1.ProbeHandler{HTTPGet: &a} }
	for sentence, test := range map[string]struct {
		handler         corev1.ProbeHandler
		want, complaint string
	}{
		"a number": {get(corev1.HTTPGetAction{Scheme: "HTTP", Path: "/ready", Port: intstr.FromInt32(80)}), "http://127.244.0.1:80/ready", ""},
		"a name":   {get(corev1.HTTPGetAction{Scheme: "HTTP", Path: "/r?a=b", Port: intstr.FromString("web")}), "http://127.244.0.1:8080/r?a=b", ""},
		"no such name": {get(corev1.HTTPGetAction{Scheme: "HTTP", Port: intstr.FromString("other")}), "",
			`container app: readinessProbe.httpGet.port: no port is named "other"`},
		"HTTPS":   {get(corev1.HTTPGetAction{Scheme: "HTTPS", Port: intstr.FromInt32(80)}), "", "container app: readinessProbe: only httpGet"},
		"no HTTP": {corev1.ProbeHandler{Exec: &corev1.ExecAction{}}, "", "container app: readinessProbe: only httpGet"},
		"a path that is none": {get(corev1.HTTPGetAction{Scheme: "HTTP", Path: "/%", Port: intstr.FromInt32(80)}), "",
			"container app: readinessProbe.httpGet.path: "},
	} {
		container := &corev1.Container{
			Name: "app", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}, ReadinessProbe: &corev1.Probe{ProbeHandler: test.handler},
		}
		got, err := probeURL(container, "127.244.0.1")
		if got != test.want || (err == nil) != (test.complaint == "") {
			t.Errorf("%s: got %q and %v, want %q", sentence, got, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("%s: got %v, want an error that says %q", sentence, err, test.complaint)
		}
	}
}
