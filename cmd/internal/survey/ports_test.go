package survey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/mesh"
)

// injected is a pod that runs with a sidecar which was told so.
func injected(t testing.TB, b injector.Bootstrap, excluded ...uint16) *corev1.Pod {
	t.Helper()
	bootstrap, err1 := json.Marshal(b)
	config, err2 := json.Marshal(interception.Config{Inbound: interception.Inbound{ExcludePorts: append(excluded, 15010)}})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "books", Labels: map[string]string{injector.ProxyLabel: "1"},
			Annotations: map[string]string{injector.BootstrapAnnotation: string(bootstrap)},
		},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: mesh.InitContainer, Args: []string{string(config)}}},
			Containers:     []corev1.Container{{Name: "app"}, {Name: mesh.SidecarNames()[0]}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
	}
}

// selling has a Service and its EndpointSlice lead a port to 8080 of the pod.
func selling(port corev1.ServicePort) *exposure {
	e := newExposure()
	e.services["books"] = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "books"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{port}}}
	e.addSlice(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "books-1", Labels: map[string]string{discoveryv1.LabelServiceName: "books"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
		Ports:      []discoveryv1.EndpointPort{{Name: &port.Name, Port: new(int32(8080)), AppProtocol: port.AppProtocol}},
	})
	return e
}

func TestWhatIsKnownOfThePortsOfAPod(t *testing.T) {
	container := func(ports ...corev1.ContainerPort) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = ports }
	}
	asked := func(kind injector.ProbeKind) injector.Bootstrap {
		return injector.Bootstrap{Probes: []injector.Probe{{Kind: kind, Target: 8080}}}
	}
	http := func(clauses ...string) []check.Port { return []check.Port{{Number: 8080, HTTP: clauses}} }
	tests := map[string]struct {
		told     injector.Bootstrap
		excluded []uint16
		edit     func(*corev1.Pod)
		exposed  *exposure
		want     []check.Port
	}{
		"nothing":                     {},
		"a probe by HTTP":             {told: asked(injector.HTTPProbe), want: http("a probe or hook asks it by HTTP")},
		"a probe by gRPC":             {told: asked(injector.GRPCProbe), want: http("a probe asks it by gRPC")},
		"a probe by HTTPS":            {told: asked(injector.HTTPSProbe)},
		"a probe by TCP":              {told: asked(injector.TCPProbe)},
		"a port that is excluded":     {told: asked(injector.HTTPProbe), excluded: []uint16{8080}},
		"declared by the bootstrap":   {told: injector.Bootstrap{HTTPPorts: []uint16{8080}}, want: []check.Port{{Number: 8080, Declared: true}}},
		"named, but not told":         {edit: container(corev1.ContainerPort{Name: "http", ContainerPort: 8080}), want: []check.Port{{Number: 8080, Named: true, HTTP: []string{"the pod declares it", "container app names it http"}}}},
		"annotated, but not told":     {edit: func(p *corev1.Pod) { p.Annotations[injector.HTTPPortsAnnotation] = "8080" }, want: []check.Port{{Number: 8080, Named: true, HTTP: []string{"the pod declares it"}}}},
		"a name that sounds so":       {edit: container(corev1.ContainerPort{Name: "web-ui", ContainerPort: 8080}), want: http("container app names it web-ui")},
		"a name of TLS":               {edit: container(corev1.ContainerPort{Name: "web-tls", ContainerPort: 8080})},
		"what Prometheus scrapes":     {edit: scrapedAt("8080", ""), want: http("the pod's annotations have Prometheus scrape it")},
		"what it scrapes by HTTPS":    {edit: scrapedAt("8080", "https")},
		"what it scrapes of sidecars": {edit: scrapedAt("15010", "")},
		"a Service that declares":     {exposed: selling(corev1.ServicePort{Name: "http", Port: 1}), want: []check.Port{{Number: 8080, Declared: true, HTTP: []string{"Service books names it http"}}}},
		"a Service's port 80":         {exposed: selling(corev1.ServicePort{Port: 80}), want: http("Service books has it as port 80")},
		"a Service's name":            {exposed: selling(corev1.ServicePort{Name: "web", Port: 1}), want: http("Service books names it web")},
		"a Service of a database":     {exposed: selling(corev1.ServicePort{Name: "mysql", Port: 3306})},
		"a Service that says that it is something else": {
			told: asked(injector.HTTPProbe), exposed: selling(corev1.ServicePort{Name: "web", Port: 80, AppProtocol: new("tcp")}),
			want: []check.Port{{Number: 8080}},
		},
		"an Ingress by number": {exposed: behind(selling(corev1.ServicePort{Name: "x", Port: 1}), networkingv1.ServiceBackendPort{Number: 1}), want: http("Ingress front leads to it")},
		"an Ingress by name":   {exposed: behind(selling(corev1.ServicePort{Name: "x", Port: 1}), networkingv1.ServiceBackendPort{Name: "x"}), want: http("Ingress front leads to it")},
		"an Ingress elsewhere": {exposed: behind(selling(corev1.ServicePort{Name: "x", Port: 1}), networkingv1.ServiceBackendPort{Number: 2})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod, exposed := injected(t, test.told, test.excluded...), test.exposed
			if test.edit != nil {
				test.edit(pod)
			}
			if exposed == nil {
				exposed = newExposure()
			}
			one := check.Pod{Sidecar: true}
			exposed.describe(pod, &one)
			same := func(a, b check.Port) bool {
				return a.Number == b.Number && a.Declared == b.Declared && a.Named == b.Named && slices.Equal(a.HTTP, b.HTTP)
			}
			if !one.Intercepted || !slices.EqualFunc(one.Ports, test.want, same) {
				t.Errorf("%+v, want %+v", one.Ports, test.want)
			}
		})
	}
}

func scrapedAt(port, scheme string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations["prometheus.io/scrape"], p.Annotations["prometheus.io/port"] = "true", port
		p.Annotations["prometheus.io/scheme"] = scheme
	}
}

// behind has an Ingress lead to a port of the Service.
func behind(e *exposure, port networkingv1.ServiceBackendPort) *exposure {
	to := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "books", Port: port}}
	e.addIngress(&networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "front"}, Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{
		{}, {IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Backend: to}}}}},
	}}})
	return e
}

func TestOfAPodThatIsNotInterceptedNothingIsKnown(t *testing.T) {
	pod := injected(t, injector.Bootstrap{HTTPPorts: []uint16{8080}})
	pod.Spec.InitContainers = nil
	one := check.Pod{Sidecar: true}
	if newExposure().describe(pod, &one); one.Intercepted || one.Ports != nil {
		t.Errorf("%+v", one)
	}
}

// asking is a Survey by an API server that hands on to one pod.
func asking(t *testing.T, pod http.HandlerFunc) *Survey {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/namespaces/shop/pods/books-1:15010/proxy/stats/prometheus", pod)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s, err := New(&rest.Config{Host: server.URL, BearerToken: "of-an-administrator"}, "osm-system")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASidecarIsAskedWhereItSawHTTP(t *testing.T) {
	tests := map[string]struct {
		says string
		want []uint16
	}{
		"nothing":  {"", nil},
		"some":     {"# TYPE osm_sidecar_undeclared_http_total counter\nosm_sidecar_undeclared_http_total{port=\"9090\"} 3\nosm_sidecar_undeclared_http_total{port=\"8080\"} 1\n", []uint16{8080, 9090}},
		"no type":  {"osm_sidecar_undeclared_http_total{port=\"8080\"} 1\n", []uint16{8080}},
		"none yet": {"osm_sidecar_undeclared_http_total{port=\"8080\"} 0\n", nil},
		"no port":  {"osm_sidecar_undeclared_http_total{port=\"80\x1b[31m\"} 1\nosm_sidecar_undeclared_http_total{port=\"70000\"} 1\nosm_sidecar_undeclared_http_total 1\n", nil},
		"no text":  {"\x00\xff{{{", nil},
		"too much": {strings.Repeat("a 1\n", maxMetricsBytes), nil},
		"too many": {manyPorts(), []uint16{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := asking(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, test.says) })
			if got := s.undeclared(t.Context(), "shop", "books-1"); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// TestTheMetricsOfSidecarsAreRead is of what the sidecars' own tests say that
// each of them writes.
func TestTheMetricsOfSidecarsAreRead(t *testing.T) {
	for file, want := range map[string][]uint16{
		"../../../injector/pipy/testdata/metrics.txt": {8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090, 8091, 8092, 8093, 8094, 8095},
		"../../../test/sidecar/testdata/metrics.txt":  {8080},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := asking(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(text) })
		if got := s.undeclared(t.Context(), "shop", "books-1"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
}

func manyPorts() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "osm_sidecar_undeclared_http_total{port=\"%d\"} 1\n", i+1)
	}
	return b.String()
}

// TestAPodDoesNotGetTheCredentialsOfWhoAsks has a pod point elsewhere. The API
// server hands that on.
func TestAPodDoesNotGetTheCredentialsOfWhoAsks(t *testing.T) {
	var called atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := asking(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) })
		if got := s.undeclared(t.Context(), "shop", "books-1"); got != nil {
			t.Errorf("%d: %v", code, got)
		}
	}
	if n := called.Load(); n != 0 {
		t.Errorf("%d requests went there", n)
	}
}

func TestOneSidecarOfEachWorkloadIsAsked(t *testing.T) {
	pods := []check.Pod{
		{Namespace: "shop", Name: "a-1", Workload: "deployment/a", Intercepted: true, NotReady: "no certificate"},
		{Namespace: "shop", Name: "a-2", Workload: "deployment/a", Intercepted: true},
		{Namespace: "shop", Name: "a-3", Workload: "deployment/a", Intercepted: true},
		{Namespace: "shop", Name: "bare", Workload: "deployment/b"},
		{Namespace: "shop", Name: "own-1", Intercepted: true},
		{Namespace: "shop", Name: "own-2", Intercepted: true},
		{Namespace: "till", Name: "a-1", Workload: "deployment/a", Intercepted: true},
	}
	if got := oneOfEach(pods); !slices.Equal(got, []int{1, 4, 5, 6}) {
		t.Errorf("asked %v", got)
	}
	if got := oneOfEach(slices.Repeat(pods[4:5], 1000)); len(got) != askedSidecars {
		t.Errorf("asked %d", len(got))
	}
}
