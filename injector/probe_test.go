package injector

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func containerOf(t testing.TB, text string) corev1.Container {
	t.Helper()
	var c corev1.Container
	if err := yaml.UnmarshalStrict([]byte(text), &c); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return c
}

func podWith(containers ...corev1.Container) *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: containers}}
}

func TestTheKubeletAsksTheSidecarAndTheSidecarTheApplication(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after string
		probes        []Probe
	}{
		{
			name:   "an HTTP liveness probe",
			before: `{name: app, livenessProbe: {httpGet: {path: "/healthz?full=1", port: 8080, scheme: HTTP}, timeoutSeconds: 3}}`,
			after:  `{name: app, livenessProbe: {httpGet: {path: /osm/app/liveness, port: 15901, scheme: HTTP}, timeoutSeconds: 3}}`,
			probes: []Probe{{Port: 15901, Path: "/osm/app/liveness", Kind: HTTPProbe, Target: 8080, TargetPath: "/healthz?full=1", TimeoutSeconds: 3}},
		},
		{
			name:   "an HTTP probe without what has a default",
			before: `{name: app, livenessProbe: {httpGet: {port: 8080}}}`,
			after:  `{name: app, livenessProbe: {httpGet: {path: /osm/app/liveness, port: 15901}}}`,
			probes: []Probe{{Port: 15901, Path: "/osm/app/liveness", Kind: HTTPProbe, Target: 8080, TargetPath: "/", TimeoutSeconds: 1}},
		},
		{
			name:   "an HTTPS readiness probe",
			before: `{name: app, readinessProbe: {httpGet: {path: /, port: 8443, scheme: HTTPS}}}`,
			after:  `{name: app, readinessProbe: {httpGet: {path: /osm/app/readiness, port: 15902, scheme: HTTP}}}`,
			probes: []Probe{{Port: 15902, Path: "/osm/app/readiness", Kind: HTTPSProbe, Target: 8443, TargetPath: "/", TimeoutSeconds: 1}},
		},
		{
			name:   "a probe that names HTTP/1.1",
			before: `{name: app, startupProbe: {httpGet: {path: /, port: 80, protocol: HTTP1}}}`,
			after:  `{name: app, startupProbe: {httpGet: {path: /osm/app/startup, port: 15903, protocol: HTTP1}}}`,
			probes: []Probe{{Port: 15903, Path: "/osm/app/startup", Kind: HTTPProbe, Target: 80, TargetPath: "/", TimeoutSeconds: 1}},
		},
		{
			name: "a probe's headers, times and thresholds",
			before: `{name: app, livenessProbe: {httpGet: {path: /, port: 80, httpHeaders: [{name: Host, value: a.test}, {name: X, value: "1"}]},
				initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 1, failureThreshold: 5, terminationGracePeriodSeconds: 6}}`,
			after: `{name: app, livenessProbe: {httpGet: {path: /osm/app/liveness, port: 15901, httpHeaders: [{name: Host, value: a.test}, {name: X, value: "1"}]},
				initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 1, failureThreshold: 5, terminationGracePeriodSeconds: 6}}`,
			probes: []Probe{{Port: 15901, Path: "/osm/app/liveness", Kind: HTTPProbe, Target: 80, TargetPath: "/", Headers: []string{"Host", "X"}, TimeoutSeconds: 2}},
		},
		{
			name:   "a TCP probe",
			before: `{name: db, readinessProbe: {tcpSocket: {port: 5432}, periodSeconds: 7}}`,
			after:  `{name: db, readinessProbe: {httpGet: {path: /osm/db/readiness, port: 15904}, periodSeconds: 7}}`,
			probes: []Probe{{Port: 15904, Path: "/osm/db/readiness", Kind: TCPProbe, Target: 5432, TimeoutSeconds: 1}},
		},
		{
			name:   "a gRPC probe of a service",
			before: `{name: app, startupProbe: {grpc: {port: 9000, service: shop}}}`,
			after:  `{name: app, startupProbe: {httpGet: {path: /osm/app/startup, port: 15903}}}`,
			probes: []Probe{{Port: 15903, Path: "/osm/app/startup", Kind: GRPCProbe, Target: 9000, Service: "shop", TimeoutSeconds: 1}},
		},
		{
			name:   "a gRPC probe of the server, in plain text as it says",
			before: `{name: app, livenessProbe: {grpc: {port: 9000, service: null, mode: Plaintext}}}`,
			after:  `{name: app, livenessProbe: {httpGet: {path: /osm/app/liveness, port: 15901}}}`,
			probes: []Probe{{Port: 15901, Path: "/osm/app/liveness", Kind: GRPCProbe, Target: 9000, TimeoutSeconds: 1}},
		},
		{
			name:   "a port by its name, of the first that has it",
			before: `{name: app, ports: [{containerPort: 1}, {name: http, containerPort: 80}, {name: http, containerPort: 81}], livenessProbe: {httpGet: {port: http}}, readinessProbe: {tcpSocket: {port: http}}}`,
			after:  `{name: app, ports: [{containerPort: 1}, {name: http, containerPort: 80}, {name: http, containerPort: 81}], livenessProbe: {httpGet: {path: /osm/app/liveness, port: 15901}}, readinessProbe: {httpGet: {path: /osm/app/readiness, port: 15904}}}`,
			probes: []Probe{
				{Port: 15901, Path: "/osm/app/liveness", Kind: HTTPProbe, Target: 80, TargetPath: "/", TimeoutSeconds: 1},
				{Port: 15904, Path: "/osm/app/readiness", Kind: TCPProbe, Target: 80, TimeoutSeconds: 1},
			},
		},
		{
			name:   "hooks",
			before: `{name: app, lifecycle: {postStart: {httpGet: {path: /up, port: 80, httpHeaders: [{name: X, value: y}]}}, preStop: {httpGet: {path: /down, port: 443, scheme: HTTPS}}}}`,
			after:  `{name: app, lifecycle: {postStart: {httpGet: {path: /osm/app/postStart, port: 15901, httpHeaders: [{name: X, value: y}]}}, preStop: {httpGet: {path: /osm/app/preStop, port: 15901, scheme: HTTP}}}}`,
			probes: []Probe{
				{Port: 15901, Path: "/osm/app/postStart", Kind: HTTPProbe, Target: 80, TargetPath: "/up", Headers: []string{"X"}, TimeoutSeconds: hookTimeout},
				{Port: 15901, Path: "/osm/app/preStop", Kind: HTTPSProbe, Target: 443, TargetPath: "/down", TimeoutSeconds: hookTimeout},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := podWith(containerOf(t, test.before))
			probes, err := rewriteProbes(pod, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(podWith(containerOf(t, test.after)), pod); diff != "" {
				t.Errorf("container: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.probes, probes); diff != "" {
				t.Errorf("probes: -want +got:\n%s", diff)
			}
		})
	}
}

func TestWhatInterceptionDoesNotBreakStaysAsItIs(t *testing.T) {
	for name, text := range map[string]string{
		"no probes":             `{name: app, lifecycle: {stopSignal: SIGTERM}}`,
		"commands":              `{name: app, livenessProbe: {exec: {command: [a]}}, lifecycle: {preStop: {exec: {command: [b]}}}}`,
		"a hook that waits":     `{name: app, lifecycle: {preStop: {sleep: {seconds: 5}}}}`,
		"another host":          `{name: app, livenessProbe: {httpGet: {port: 80, host: a.test}}, readinessProbe: {tcpSocket: {port: 80, host: a.test}}, lifecycle: {postStart: {httpGet: {port: 80, host: a.test}}}}`,
		"a port excluded":       `{name: app, livenessProbe: {httpGet: {port: 1234, protocol: HTTP2}}, readinessProbe: {tcpSocket: {port: 1234}}, startupProbe: {grpc: {port: 1234, service: "", mode: TLS}}, lifecycle: {preStop: {httpGet: {port: 1234}}}}`,
		"its name excluded":     `{name: app, ports: [{name: a, containerPort: 1234}], livenessProbe: {httpGet: {port: a}}}`,
		"a name unknown":        `{name: app, ports: [{name: a, containerPort: 80}], livenessProbe: {httpGet: {port: b}}, readinessProbe: {tcpSocket: {port: b}}}`,
		"a number in quotes":    `{name: app, livenessProbe: {httpGet: {port: "80"}}}`,
		"a port without a name": `{name: app, ports: [{containerPort: 80}], livenessProbe: {httpGet: {port: ""}}}`,
		"no port":               `{name: app, livenessProbe: {httpGet: {path: /}}, startupProbe: {grpc: {service: ""}}}`,
		"not a port":            `{name: app, livenessProbe: {httpGet: {port: 65536}}, readinessProbe: {tcpSocket: {port: -1}}, startupProbe: {grpc: {port: 81437, service: ""}}}`,
		"named, not a port":     `{name: app, ports: [{name: a, containerPort: 65616}], livenessProbe: {httpGet: {port: a}}}`,
		"two kinds":             `{name: app, livenessProbe: {httpGet: {port: 80}, tcpSocket: {port: 80}}, readinessProbe: {exec: {command: [a]}, grpc: {port: 80, service: ""}}, lifecycle: {preStop: {httpGet: {port: 80}, sleep: {seconds: 1}}}}`,
		"no kind":               `{name: app, livenessProbe: {periodSeconds: 1}, lifecycle: {preStop: {}}}`,
		"a scheme unknown":      `{name: app, livenessProbe: {httpGet: {port: 80, scheme: https}}}`,
		"a path without host":   `{name: app, livenessProbe: {httpGet: {port: 80, path: "health:check"}}}`,
		"a hook that never ran": `{name: app, lifecycle: {preStop: {tcpSocket: {port: 80}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			pod := podWith(containerOf(t, text))
			before := pod.DeepCopy()
			probes, err := rewriteProbes(pod, []uint16{1234})
			if err != nil || len(probes) > 0 {
				t.Errorf("probes: %v, error: %v", probes, err)
			}
			if diff := cmp.Diff(before, pod); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}

func TestWhatWorksOnlyWithoutASidecarIsRefusedWithTheFix(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"HTTP/2": {
			`{name: app, livenessProbe: {httpGet: {port: 80, protocol: HTTP2}}}`,
			[]string{"container app: ", "livenessProbe.httpGet.protocol", "HTTP2", "port 80", inboundExclusions},
		},
		"gRPC over TLS": {
			`{name: app, ports: [{name: a, containerPort: 81}], readinessProbe: {grpc: {port: 81, service: "", mode: TLS}}}`,
			[]string{"container app: ", "readinessProbe.grpc.mode", "TLS", "port 81", inboundExclusions},
		},
		"a user in the path": {
			`{name: app, lifecycle: {preStop: {httpGet: {port: 80, path: "http://me:secret@host/"}}}}`,
			[]string{"container app: ", "lifecycle.preStop.httpGet.path", "httpHeaders"},
		},
		"a probe rewritten before": {
			`{name: app, livenessProbe: {httpGet: {port: 15901, path: /osm/app/liveness}}}`,
			[]string{"container app: ", "livenessProbe: port 15901", "a copy"},
		},
		"a sidecar's port by name": {
			`{name: app, ports: [{name: a, containerPort: 15000}], startupProbe: {tcpSocket: {port: a}}}`,
			[]string{"container app: ", "startupProbe: port 15000"},
		},
		"several at once": {
			`{name: app, livenessProbe: {grpc: {port: 15904, service: ""}}, lifecycle: {postStart: {httpGet: {port: 15003}}}}`,
			[]string{"livenessProbe: port 15904", "lifecycle.postStart: port 15003"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rewriteProbes(podWith(containerOf(t, test.text)), nil)
			if err == nil {
				t.Fatal("not refused")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells a secret", err)
			}
		})
	}
}

// inboundExclusions is written out, because users read it.
const inboundExclusions = "openservicemesh.io/inbound-port-exclusion-list"

func TestEveryContainerThatIsProbedHasItsOwnPath(t *testing.T) {
	text := `{name: NAME, livenessProbe: {tcpSocket: {port: 80}}, readinessProbe: {httpGet: {port: 80}}, startupProbe: {tcpSocket: {port: 80}}}`
	named := func(name string) corev1.Container { return containerOf(t, strings.ReplaceAll(text, "NAME", name)) }
	pod := podWith(named("a"), named("b"))
	native, once := named("native"), named("once")
	native.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	pod.Spec.InitContainers = []corev1.Container{once, native}
	probes, err := rewriteProbes(pod, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, probe := range probes {
		got = append(got, probe.Path)
	}
	want := []string{
		"/osm/native/liveness", "/osm/native/readiness", "/osm/native/startup",
		"/osm/a/liveness", "/osm/a/readiness", "/osm/a/startup",
		"/osm/b/liveness", "/osm/b/readiness", "/osm/b/startup",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(once, pod.Spec.InitContainers[0]); diff != "" {
		t.Errorf("an init container that is not probed: -before +after:\n%s", diff)
	}
}

func TestACopyOfAnInjectedPodLosesWhatWasRewritten(t *testing.T) {
	text := `{name: app, livenessProbe: {httpGet: {port: 80}}, readinessProbe: {tcpSocket: {port: 80}}, startupProbe: {exec: {command: [a]}},
		lifecycle: {postStart: {httpGet: {port: 80}}, preStop: {httpGet: {port: 80, host: a.test}}}}`
	native := containerOf(t, text)
	native.Name, native.RestartPolicy = "native", new(corev1.ContainerRestartPolicyAlways)
	pod := podWith(containerOf(t, text))
	pod.Spec.InitContainers = []corev1.Container{native}
	if _, err := rewriteProbes(pod, nil); err != nil {
		t.Fatal(err)
	}
	removeRewritten(pod)
	want := containerOf(t, `{name: app, startupProbe: {exec: {command: [a]}}, lifecycle: {preStop: {httpGet: {port: 80, host: a.test}}}}`)
	if diff := cmp.Diff(want, pod.Spec.Containers[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want.Name, want.RestartPolicy = native.Name, native.RestartPolicy
	if diff := cmp.Diff(want, pod.Spec.InitContainers[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if probes, err := rewriteProbes(pod, nil); err != nil || len(probes) > 0 {
		t.Errorf("probes: %v, error: %v", probes, err)
	}
}
