package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// apiVersions is an API server that is upgraded while it is asked: the answers
// in their order, the last one for ever. An empty one is no answer.
type apiVersions struct {
	answers []string
	asked   int
}

func (v *apiVersions) ServerVersionWithContext(context.Context) (*version.Info, error) {
	answer := v.answers[min(v.asked, len(v.answers)-1)]
	v.asked++
	if answer == "" {
		return nil, errors.New("connection refused")
	}
	return &version.Info{GitVersion: answer}, nil
}

func mustConfigure(t testing.TB, versions *apiVersions, apiServer netip.Addr, args ...string) *configuration {
	t.Helper()
	o, err := injection.Parse(name, append([]string{"--sidecar-image=example.test/pipy:1", "--init-image=example.test/osm-init:1"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConfiguration(o, apiServer, versions, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// injected is the JSON patch of a pod, as text.
func injected(t *testing.T, c *configuration) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}}
	pod := `{"metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"example.test/web:1"}]}}`
	result := c.current.Load().Inject([]byte(pod), namespace, "6f1f3bb6-6a1c-4d9b-8f43-3a6d5b0f9f5e")
	if result.Decision != injector.Injected {
		t.Fatalf("the pod is %s: %v", result.Decision, result.Err)
	}
	var patch strings.Builder
	for _, operation := range result.Patch {
		patch.WriteString(operation.Json() + "\n")
	}
	return patch.String()
}

func placed(t *testing.T, c *configuration) injector.Placement {
	t.Helper()
	if strings.Contains(injected(t, c), `"restartPolicy":"Always"`) {
		return injector.Native
	}
	return injector.Container
}

func TestSidecarsArePlacedAsTheAPIServersVersionAllows(t *testing.T) {
	tests := map[string]struct {
		version string
		want    injector.Placement
	}{
		"the first whose kubelets all know native sidecars": {"v1.32.0", injector.Native},
		"the last before":             {"v1.31.14", injector.Container},
		"today's":                     {"v1.37.2", injector.Native},
		"of a distribution":           {"v1.33.1-eks-1de2ab1", injector.Native},
		"of another distribution":     {"v1.31.4+k3s1", injector.Container},
		"a candidate of a new minor":  {"v1.40.0-rc.0", injector.Native},
		"a major version that is new": {"v2.0.0", injector.Native},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := mustConfigure(t, &apiVersions{answers: []string{test.version}}, netip.Addr{})
			if err := c.refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := placed(t, c); got != test.want {
				t.Errorf("placed as %s, want %s", got, test.want)
			}
		})
	}
}

func TestAPlacementThatIsSetNeedsNoVersion(t *testing.T) {
	for _, want := range []injector.Placement{injector.Native, injector.Container} {
		versions := &apiVersions{answers: []string{""}}
		c := mustConfigure(t, versions, netip.Addr{}, "--sidecar-placement="+string(want))
		if err := c.Ready(); err != nil {
			t.Error(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if got := placed(t, c); got != want || versions.asked > 0 {
			t.Errorf("placed as %s after %d questions, want %s", got, versions.asked, want)
		}
	}
}

func TestAReplicaIsNotReadyUntilTheAPIServerSaysItsVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := mustConfigure(t, &apiVersions{answers: []string{"", "nonsense", "v1.37.2"}}, netip.Addr{})
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		for range 2 {
			synctest.Wait()
			if err := c.Ready(); err == nil || c.current.Load() != nil {
				t.Error("ready without a version")
			}
			time.Sleep(versionRetry)
		}
		synctest.Wait()
		if err := c.Ready(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnUpgradeOfTheClusterIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := mustConfigure(t, &apiVersions{answers: []string{"v1.31.4", "", "v1.31.4", "v1.32.1"}}, netip.Addr{})
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		before := c.current.Load()
		if got := placed(t, c); got != injector.Container {
			t.Errorf("placed as %s before", got)
		}
		time.Sleep(versionRecheck + versionRetry)
		synctest.Wait()
		if c.current.Load() != before {
			t.Error("the configuration changed with no reason")
		}
		time.Sleep(versionRecheck)
		synctest.Wait()
		if got := placed(t, c); got != injector.Native {
			t.Errorf("placed as %s after", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSidecarsLeaveTheAPIServerAlone(t *testing.T) {
	tests := map[string]struct{ host, want string }{
		"IPv4":          {"10.96.0.1", `\"excludeRanges\":[\"10.96.0.1/32\",\"192.0.2.0/24\"]`},
		"IPv6":          {"fd00::1", `\"excludeRanges\":[\"192.0.2.0/24\",\"fd00::1/128\"]`},
		"IPv4 in IPv6":  {"::ffff:10.96.0.1", `\"10.96.0.1/32\"`},
		"a name":        {"api.example.test", `\"excludeRanges\":[\"192.0.2.0/24\"]`},
		"no Kubernetes": {"", `\"excludeRanges\":[\"192.0.2.0/24\"]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", test.host)
			c := mustConfigure(t, nil, apiServer(slog.New(slog.DiscardHandler)), "--sidecar-placement=native", "--outbound-ip-range-exclusion-list=192.0.2.0/24")
			if patch := injected(t, c); !strings.Contains(patch, test.want) {
				t.Errorf("osm-init is not told %s:\n%s", test.want, patch)
			}
		})
	}
}

func TestFlagsThatMakeNoConfigurationAreRefused(t *testing.T) {
	for flag, want := range map[string]string{
		"--sidecar-image=":              "sidecar image: missing",
		"--init-image=":                 "init image: missing",
		"--trust-domain=a..b":           `trust domain "a..b"`,
		`--sidecar-resources={"a":1}`:   "-sidecar-resources",
		"--sidecar-placement=somewhere": "-sidecar-placement",
	} {
		args := []string{"--sidecar-image=example.test/pipy:1", "--init-image=example.test/osm-init:1", flag}
		o, err := injection.Parse(name, args)
		if err == nil {
			_, err = newConfiguration(o, netip.Addr{}, nil, slog.New(slog.DiscardHandler))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names %s", flag, err, want)
		}
	}
}

func TestTheConfigurationFollowsTheMeshConfigAndTheVersionTogether(t *testing.T) {
	c := mustConfigure(t, &apiVersions{answers: []string{"v1.31.4", "v1.37.2"}}, netip.MustParseAddr("10.96.0.1"), "--outbound-ip-range-exclusion-list=192.0.2.0/24")
	says := func(image string, ranges ...v1.IPRange) *v1.MeshConfig {
		return &v1.MeshConfig{Spec: v1.MeshConfigSpec{Sidecar: v1.Sidecar{Image: image}, Traffic: v1.Traffic{OutboundIPRangeExclusions: ranges}}}
	}
	follow := func(mesh *v1.MeshConfig) {
		t.Helper()
		if err := c.follow(mesh); err != nil {
			t.Fatal(err)
		}
	}
	refresh := func() {
		t.Helper()
		if err := c.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(placement injector.Placement, image, ranges string) {
		t.Helper()
		patch := injected(t, c)
		if placed(t, c) != placement || !strings.Contains(patch, image) || !strings.Contains(patch, `\"excludeRanges\":[`+ranges+`]`) {
			t.Errorf("want %s, %s, %s:\n%s", placement, image, ranges, patch)
		}
	}
	follow(says("mesh/pipy:2"))
	if c.known() {
		t.Error("there is a configuration without a version")
	}
	refresh()
	expect(injector.Container, "mesh/pipy:2", `\"10.96.0.1/32\",\"192.0.2.0/24\"`)
	follow(says("mesh/pipy:3", "198.51.100.0/24"))
	refresh()
	expect(injector.Native, "mesh/pipy:3", `\"10.96.0.1/32\",\"198.51.100.0/24\"`)
	before := c.current.Load()
	if err := c.follow(says("mesh/pipy:4", "198.51.100.1")); err == nil || c.current.Load() != before {
		t.Errorf("what is invalid counts, error %v", err)
	}
	follow(says("", []v1.IPRange{}...))
	expect(injector.Native, "example.test/pipy:1", `\"10.96.0.1/32\"`)
	follow(nil)
	expect(injector.Native, "example.test/pipy:1", `\"10.96.0.1/32\",\"192.0.2.0/24\"`)
}
