package injector

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// HTTPPortsAnnotation declares ports of the pod to be HTTP, beside those whose
// name says so.
const HTTPPortsAnnotation = "openservicemesh.io/http-port-list"

// maxHTTPPorts keeps a Bootstrap far within maxBootstrapBytes.
const maxHTTPPorts = 1024

// annotatedHTTPPorts are those of the annotation. To declare a port of the
// sidecar is a mistake: nothing that comes to it reaches the application.
func annotatedHTTPPorts(annotations map[string]string) ([]uint16, error) {
	ports, err := annotatedPorts(annotations, HTTPPortsAnnotation, nil)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(ports, isSidecarPort); i >= 0 {
		return nil, fmt.Errorf("annotation %s: the sidecar listens on port %d: have the application listen on another, or take the port out of the list",
			HTTPPortsAnnotation, ports[i])
	}
	return ports, nil
}

// declaredHTTP are the ports of the application that pod, which is without a
// sidecar, declares HTTP by their names, and those of its annotation.
func declaredHTTP(pod *corev1.Pod, annotated []uint16) ([]uint16, error) {
	ports := unionOfPorts(annotated, NamedHTTP(pod))
	if len(ports) > maxHTTPPorts {
		return nil, fmt.Errorf("it declares %d ports HTTP: at most %d are taken: give the others names that do not begin with http or grpc", len(ports), maxHTTPPorts)
	}
	return ports, nil
}

// NamedHTTP returns, in order, the ports that the containers of a pod declare
// HTTP by their names. Those of the sidecar are none of them.
func NamedHTTP(pod *corev1.Pod) []uint16 {
	var ports []uint16
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for j := range containers[i].Ports {
				if number, is := httpPort(&containers[i].Ports[j]); is {
					ports = append(ports, number)
				}
			}
		}
	}
	return unionOfPorts(ports)
}

func httpPort(port *corev1.ContainerPort) (uint16, bool) {
	number := uint16(port.ContainerPort)
	return number, (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) &&
		number > 0 && int32(number) == port.ContainerPort && mesh.IsHTTP(nil, port.Name)
}
