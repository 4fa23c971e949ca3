package injector

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// says is annotations, without the prefix that all of them have.
type says map[string]string

func (s says) annotations() map[string]string {
	annotations := map[string]string{}
	for name, value := range s {
		annotations["openservicemesh.io/"+name] = value
	}
	return annotations
}

// overridesOf are those of a pod and a namespace that say so.
func overridesOf(t testing.TB, config *Config, pod, namespace says) (overrides, error) {
	t.Helper()
	return readOverrides(
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bookstore-v2", Annotations: pod.annotations()}},
		bookstore(func(n *corev1.Namespace) { n.Annotations = namespace.annotations() }),
		config)
}

// refusedWith fails unless err says everything wanted.
func refusedWith(t *testing.T, err error, wanted ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("not refused")
	}
	for _, want := range wanted {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func ranges(cidrs ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, cidr := range cidrs {
		all = append(all, netip.MustParsePrefix(cidr))
	}
	return all
}

// withLists has a mesh-wide entry in every list.
func withLists(s *Settings) {
	s.InboundPortExclusions = []uint16{9000}
	s.OutboundPortExclusions = []uint16{443, 5432}
	s.OutboundRangeExclusions = ranges("10.96.0.1/32")
	s.OutboundRangeInclusions = ranges("10.0.0.0/8")
}

func TestAPodsListsAreAddedToTheMeshWideOnes(t *testing.T) {
	got, err := overridesOf(t, testConfig(t, withLists), says{
		"inbound-port-exclusion-list":      "8080, 9000",
		"outbound-port-exclusion-list":     "80",
		"outbound-ip-range-exclusion-list": "fd00::/8,1.2.3.4/32",
		"outbound-ip-range-inclusion-list": "10.1.0.0/16,192.168.0.0/16",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint16{8080, 9000}; !slices.Equal(got.inboundPorts, want) {
		t.Errorf("inbound ports %v, not %v", got.inboundPorts, want)
	}
	if want := []uint16{80, 443, 5432}; !slices.Equal(got.outboundPorts, want) {
		t.Errorf("outbound ports %v, not %v", got.outboundPorts, want)
	}
	if want := ranges("1.2.3.4/32", "10.96.0.1/32", "fd00::/8"); !slices.Equal(got.excludeRanges, want) {
		t.Errorf("excluded ranges %v, not %v", got.excludeRanges, want)
	}
	if want := ranges("10.0.0.0/8", "192.168.0.0/16"); !slices.Equal(got.includeRanges, want) {
		t.Errorf("included ranges %v, not %v", got.includeRanges, want)
	}
}

func TestAnEmptyListLeavesTheMeshWideOne(t *testing.T) {
	for name, pod := range map[string]says{
		"none": {},
		"empty": {
			"inbound-port-exclusion-list": "", "outbound-port-exclusion-list": " ",
			"outbound-ip-range-exclusion-list": "\t", "outbound-ip-range-inclusion-list": "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := overridesOf(t, testConfig(t, withLists), pod, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.inboundPorts, []uint16{9000}) || !slices.Equal(got.outboundPorts, []uint16{443, 5432}) ||
				!slices.Equal(got.excludeRanges, ranges("10.96.0.1/32")) || !slices.Equal(got.includeRanges, ranges("10.0.0.0/8")) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAPodDoesNotChangeWhatTheNextOneGets(t *testing.T) {
	config := testConfig(t, withLists)
	for range 2 {
		if _, err := overridesOf(t, config, says{
			"outbound-port-exclusion-list": "80", "outbound-ip-range-exclusion-list": "0.0.0.0/0",
			"sidecar-resource-limits-memory": "1Gi",
		}, says{"sidecar-resource-requests-cpu": "1m"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := overridesOf(t, config, nil, nil)
	if err != nil || !slices.Equal(got.outboundPorts, []uint16{443, 5432}) || !slices.Equal(got.excludeRanges, ranges("10.96.0.1/32")) {
		t.Errorf("got %+v, %v", got, err)
	}
	if limit := got.resources.Limits[corev1.ResourceMemory]; limit.String() != "128Mi" {
		t.Errorf("the limit became %s", &limit)
	}
}

func TestABadAnnotationIsRefusedByObjectAnnotationValueAndFix(t *testing.T) {
	tests := map[string]struct {
		pod, namespace says
		want           []string
	}{
		"a port of an inbound list": {
			pod:  says{"inbound-port-exclusion-list": "80,http"},
			want: []string{"pod bookstore/bookstore-v2: annotation openservicemesh.io/inbound-port-exclusion-list: ", `"http"`, "80,443"},
		},
		"a port of an outbound list": {
			pod:  says{"outbound-port-exclusion-list": "65536"},
			want: []string{"pod bookstore/bookstore-v2: annotation openservicemesh.io/outbound-port-exclusion-list: ", `"65536"`, "from 1 to 65535"},
		},
		"an address in an exclusion list": {
			pod:  says{"outbound-ip-range-exclusion-list": "10.0.0.5"},
			want: []string{"pod bookstore/bookstore-v2: annotation openservicemesh.io/outbound-ip-range-exclusion-list: ", "10.0.0.5/32"},
		},
		"a range of an inclusion list": {
			pod:  says{"outbound-ip-range-inclusion-list": "all"},
			want: []string{"pod bookstore/bookstore-v2: annotation openservicemesh.io/outbound-ip-range-inclusion-list: ", `"all"`, "10.0.0.0/8"},
		},
		"a quantity of the pod": {
			pod:  says{"sidecar-resource-limits-memory": "64MB"},
			want: []string{"pod bookstore/bookstore-v2: annotation openservicemesh.io/sidecar-resource-limits-memory is ", `"64MB"`, "64Mi"},
		},
		"a quantity of the namespace": {
			namespace: says{"sidecar-resource-requests-cpu": "-1"},
			want:      []string{"namespace bookstore: annotation openservicemesh.io/sidecar-resource-requests-cpu is ", `"-1"`, "negative", "100m"},
		},
		"a quantity of the namespace that the pod's overrides": {
			pod:       says{"sidecar-resource-requests-cpu": "1m"},
			namespace: says{"sidecar-resource-requests-cpu": "much"},
			want:      []string{"namespace bookstore: ", `"much"`},
		},
		"whether metrics are scraped": {
			namespace: says{"metrics": "on"},
			want:      []string{"namespace bookstore: annotation openservicemesh.io/metrics is ", `"on"`, "enabled, yes or true", "disabled, no or false", "remove it"},
		},
		"several at once": {
			pod:  says{"inbound-port-exclusion-list": "0", "outbound-ip-range-exclusion-list": "x", "sidecar-resource-limits-cpu": "y", "sidecar-resource-requests-memory": "z"},
			want: []string{"inbound-port-exclusion-list", "outbound-ip-range-exclusion-list", "limits-cpu", "requests-memory"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := overridesOf(t, testConfig(t), test.pod, test.namespace)
			refusedWith(t, err, test.want...)
		})
	}
}

func TestARefusalDoesNotRepeatALongValue(t *testing.T) {
	for _, name := range []string{"inbound-port-exclusion-list", "outbound-ip-range-inclusion-list", "sidecar-resource-limits-cpu"} {
		_, err := overridesOf(t, testConfig(t), says{name: strings.Repeat("a", 200<<10)}, nil)
		if err == nil || len(err.Error()) > 400 {
			t.Errorf("%s: refused with %.500v", name, err)
		}
	}
}

func TestANamespaceSaysWhetherMetricsAreScraped(t *testing.T) {
	tests := map[string]bool{
		"enabled": true, "yes": true, "true": true, "Enabled": true, "TRUE": true,
		"disabled": false, "no": false, "false": false, "No": false,
	}
	for value, want := range tests {
		t.Run(value, func(t *testing.T) {
			got, err := overridesOf(t, testConfig(t), nil, says{"metrics": value})
			if err != nil || got.metrics != want {
				t.Errorf("got %v, %v", got.metrics, err)
			}
		})
	}
	t.Run("silent", func(t *testing.T) {
		if got, err := overridesOf(t, testConfig(t), nil, nil); err != nil || got.metrics {
			t.Errorf("got %v, %v", got.metrics, err)
		}
	})
	for _, value := range []string{"", "on", "1", "enabled ", "scrape"} {
		t.Run("refused "+value, func(t *testing.T) {
			_, err := overridesOf(t, testConfig(t), nil, says{"metrics": value})
			refusedWith(t, err, metricsAnnotation)
		})
	}
}

func FuzzMetricsAnnotation(f *testing.F) {
	for _, value := range []string{"enabled", "YES", "true", "disabled", "no", "False", "", "on", "yes\n", "ｙｅｓ"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := parseMetrics(map[string]string{metricsAnnotation: value})
		injection, injectionErr := parseInjection(map[string]string{injectionAnnotation: value})
		if (err == nil) != (injectionErr == nil) || got != (injection == yes) {
			t.Errorf("%q means %v, %v of metrics, but %v, %v of injection", value, got, err, injection, injectionErr)
		}
	})
}

func BenchmarkOverrides(b *testing.B) {
	tests := map[string]struct{ pod, namespace says }{
		"of none": {},
		"of all": {
			pod: says{
				"inbound-port-exclusion-list": "8080,9000", "outbound-port-exclusion-list": "80,443",
				"outbound-ip-range-exclusion-list": "10.0.0.0/8,fd00::/8", "outbound-ip-range-inclusion-list": "0.0.0.0/0",
				"sidecar-resource-limits-cpu": "1", "sidecar-resource-limits-memory": "1Gi",
			},
			namespace: says{"metrics": "enabled", "sidecar-resource-requests-cpu": "10m", "sidecar-resource-requests-storage": "1Gi"},
		},
	}
	for name, test := range tests {
		b.Run(name, func(b *testing.B) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bookstore-v2", Annotations: test.pod.annotations()}}
			pod.Annotations["prometheus.io/scrape"] = "true"
			namespace := bookstore(func(n *corev1.Namespace) { n.Annotations = test.namespace.annotations() })
			config := testConfig(b, withLists)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readOverrides(pod, namespace, config); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
