package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func controllerServiceAt(ips ...string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-controller", Namespace: "osm-system"},
		Spec:       corev1.ServiceSpec{ClusterIP: ips[0], ClusterIPs: ips},
	}
}

func TestSidecarsAreToldTheClusterIPsOfOSMController(t *testing.T) {
	tests := map[string]struct{ ips, want []string }{
		"one":            {[]string{"10.96.0.5"}, []string{"10.96.0.5:15128"}},
		"of IPv6":        {[]string{"fd00::5"}, []string{"[fd00::5]:15128"}},
		"of both":        {[]string{"fd00::5", "10.96.0.5"}, []string{"[fd00::5]:15128", "10.96.0.5:15128"}},
		"headless":       {[]string{"None"}, nil},
		"not given yet":  {[]string{""}, nil},
		"no Service yet": {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				c := followed(t, client, "--cluster-domain=k8s.corp")
				services := client.CoreV1().Services("osm-system")
				if test.ips != nil {
					if _, err := services.Create(t.Context(), controllerServiceAt(test.ips...), metav1.CreateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if got := fallbacks(t, c); !slices.Equal(got, test.want) {
					t.Errorf("%q, want %q", got, test.want)
				}
				if test.ips == nil {
					return
				}
				if _, err := services.Update(t.Context(), controllerServiceAt("10.96.0.9"), metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := fallbacks(t, c); !slices.Equal(got, []string{"10.96.0.9:15128"}) {
					t.Errorf("changed: %q", got)
				}
				if err := services.Delete(t.Context(), "osm-controller", metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := fallbacks(t, c); got != nil {
					t.Errorf("without the Service: %q", got)
				}
			})
		})
	}
}

// TestWithoutTheRightToReadTheServicePodsAreInjected has the API server refuse.
func TestWithoutTheRightToReadTheServicePodsAreInjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("forbidden")
		})
		c := followed(t, client)
		if got := injected(t, c); !strings.Contains(got, "osm-controller.osm-system.svc.cluster.local.:15128") {
			t.Errorf("%s", got)
		}
	})
}

// followed is a configuration that follows the Service, for which what is known
// has been said.
func followed(t *testing.T, client *fake.Clientset, args ...string) *configuration {
	t.Helper()
	c := mustConfigure(t, nil, netip.Addr{}, append(args, "--sidecar-placement=native")...)
	ips := followControllerIPs(client, "osm-system", c.call, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- ips.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	if !ips.Known() {
		t.Error("nothing is known")
	}
	return c
}

// fallbacks are those of a new pod's bootstrap config.
func fallbacks(t *testing.T, c *configuration) []string {
	t.Helper()
	_, rest, found := strings.Cut(injected(t, c), `\"fallbacks\":[`)
	if !found {
		return nil
	}
	list, _, _ := strings.Cut(rest, `],\"serverName`)
	return strings.Split(strings.ReplaceAll(list, `\"`, ""), ",")
}
