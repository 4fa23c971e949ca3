package injector

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/mesh"
)

func names(containers []corev1.Container) []string {
	var all []string
	for _, c := range containers {
		all = append(all, c.Name)
	}
	return all
}

func TestEveryPlacementHasItsOrder(t *testing.T) {
	pod := podWith(corev1.Container{Name: "app"}, corev1.Container{Name: "logs"})
	pod.Spec.InitContainers = []corev1.Container{{Name: "wait"}, {Name: "migrate"}}
	for name, test := range map[string]struct {
		edit              func(*Settings)
		inits, containers []string
	}{
		"native": {
			func(*Settings) {},
			[]string{"osm-init", "sidecar", "wait", "migrate"}, []string{"app", "logs"},
		},
		"native without interception": {
			func(s *Settings) { s.Interception = NoInterception },
			[]string{"sidecar", "wait", "migrate"}, []string{"app", "logs"},
		},
		"container": {
			func(s *Settings) { s.Placement = Container },
			[]string{"wait", "migrate", "osm-init"}, []string{"sidecar", "app", "logs"},
		},
		"container without interception": {
			func(s *Settings) { s.Placement, s.Interception = Container, NoInterception },
			[]string{"wait", "migrate"}, []string{"sidecar", "app", "logs"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			after := become(t, testConfig(t, test.edit), pod)
			if got := names(after.Spec.InitContainers); !slices.Equal(got, test.inits) {
				t.Errorf("init containers %v, want %v", got, test.inits)
			}
			if got := names(after.Spec.Containers); !slices.Equal(got, test.containers) {
				t.Errorf("containers %v, want %v", got, test.containers)
			}
		})
	}
}

// find returns the container of a name.
func find(t testing.TB, pod *corev1.Pod, name string) corev1.Container {
	t.Helper()
	all := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no container %s among %v", name, names(all))
	}
	return all[i]
}

func TestANativeSidecarGoesOnRunningAndHoldsTheApplicationBack(t *testing.T) {
	sidecar := find(t, become(t, testConfig(t), podWith(corev1.Container{Name: "app"})), mesh.SidecarNames()[0])
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("restart policy %v", sidecar.RestartPolicy)
	}
	if sidecar.StartupProbe == nil || sidecar.StartupProbe.HTTPGet.Path != "/ready" || sidecar.StartupProbe.HTTPGet.Port.IntVal != readinessPort {
		t.Errorf("startup probe %v", sidecar.StartupProbe)
	}
	if sidecar.Lifecycle != nil {
		t.Errorf("a hook would run when the pod is told to end, before the application ends: %v", sidecar.Lifecycle)
	}
}

func TestAPlainSidecarOutlivesTheApplication(t *testing.T) {
	config := testConfig(t, func(s *Settings) { s.Placement = Container })
	sidecar := find(t, become(t, config, podWith(corev1.Container{Name: "app"})), mesh.SidecarNames()[0])
	if sidecar.RestartPolicy != nil || sidecar.StartupProbe != nil {
		t.Errorf("restart policy %v and startup probe %v", sidecar.RestartPolicy, sidecar.StartupProbe)
	}
	if sidecar.Lifecycle == nil || !slices.Equal(sidecar.Lifecycle.PreStop.Exec.Command, []string{"/bin/sh", "-c", outliveScript}) {
		t.Errorf("hooks %v", sidecar.Lifecycle)
	}
}

func TestOSMInitIsToldWhatTheMeshAndThePodLeaveAlone(t *testing.T) {
	ranges, err := ParseRanges("10.96.0.1/32")
	if err != nil {
		t.Fatal(err)
	}
	config := testConfig(t, func(s *Settings) {
		s.InboundPortExclusions = []uint16{9090}
		s.OutboundPortExclusions = []uint16{3306}
		s.OutboundRangeExclusions = ranges
		s.InterfaceExclusions = []string{"net1"}
	})
	pod := podWith(corev1.Container{Name: "app"})
	pod.Annotations = map[string]string{
		inboundPortsAnnotation:   "8081",
		excludedRangesAnnotation: "169.254.169.254/32",
		includedRangesAnnotation: "10.0.0.0/8",
	}
	args := find(t, become(t, config, pod), mesh.InitContainer).Args
	if len(args) != 1 {
		t.Fatalf("arguments %q", args)
	}
	if _, err := interception.Parse([]byte(args[0])); err != nil {
		t.Error(err)
	}
	want := `{"uid":1500,"inbound":{"port":15003,"excludePorts":[8081,9090,15003,15010,15901,15902,15903,15904]},` +
		`"outbound":{"port":15001,"excludePorts":[53,3306],"excludeRanges":["10.96.0.1/32","169.254.169.254/32"],"includeRanges":["10.0.0.0/8"]},` +
		`"excludeInterfaces":["net1"]}`
	if args[0] != want {
		t.Errorf("told\n%s, want\n%s", args[0], want)
	}
}

func TestOSMInitHasOneCapabilityUnlessItIsToBePrivileged(t *testing.T) {
	pod := podWith(corev1.Container{Name: "app"})
	security := find(t, become(t, testConfig(t), pod), mesh.InitContainer).SecurityContext
	if security.Privileged != nil || *security.AllowPrivilegeEscalation || !slices.Equal(security.Capabilities.Add, []corev1.Capability{"NET_ADMIN"}) {
		t.Errorf("security %v", security)
	}
	config := testConfig(t, func(s *Settings) { s.PrivilegedInit = true })
	security = find(t, become(t, config, pod), mesh.InitContainer).SecurityContext
	if !*security.Privileged || security.AllowPrivilegeEscalation != nil {
		t.Errorf("security %v, which the API server refuses", security)
	}
}

func TestTheSidecarTakesNoPortNameOfThePod(t *testing.T) {
	pod := podWith(corev1.Container{Name: "app", Ports: []corev1.ContainerPort{{Name: "proxy-admin", ContainerPort: 9901}}})
	for _, port := range find(t, become(t, testConfig(t), pod), mesh.SidecarNames()[0]).Ports {
		if port.Name == "proxy-admin" || (port.Name == "") != (port.ContainerPort == adminPort) {
			t.Errorf("port %d is named %q", port.ContainerPort, port.Name)
		}
	}
}

func TestOnlyTheSidecarMountsTheIdentity(t *testing.T) {
	injected(t, func(s sample, _ Result, after []byte) {
		pod := podOf(t, after)
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			for _, mount := range container.VolumeMounts {
				if (mount.Name == mesh.IdentityVolume) != (mesh.IsSidecar(&container)) {
					t.Errorf("%s: container %s mounts %s", s.file, container.Name, mount.Name)
				}
			}
		}
	})
}
