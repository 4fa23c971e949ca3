package injector

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Placement is what kind of container the sidecar is.
type Placement string

const (
	// Native makes the sidecar an init container that goes on running
	// (restartPolicy Always; Kubernetes 1.29 or newer on every node). It is
	// ready before any of the pod's own containers starts, and ends after the
	// last of them.
	Native Placement = "native"
	// Container makes the sidecar one of the pod's ordinary containers. The
	// application may start before the sidecar is ready, and its init containers
	// have none.
	Container Placement = "container"
)

func (p Placement) check() error {
	if p != Native && p != Container {
		return fmt.Errorf("sidecar placement %q: want %s or %s", p, Native, Container)
	}
	return nil
}

// place puts the sidecar and the init containers that come with it where they
// belong.
func (a *additions) place(p Placement, inits []corev1.Container, sidecar corev1.Container) {
	if p == Native {
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		sidecar.StartupProbe = startupProbe()
		a.initFirst = append(inits, sidecar)
		return
	}
	// First, so that it starts before the application does, and its init
	// container last: from then on, connections need the sidecar.
	sidecar.Lifecycle = outliveApplication()
	a.containers = []corev1.Container{sidecar}
	a.initLast = inits
}
