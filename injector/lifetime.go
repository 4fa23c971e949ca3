package injector

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// readinessProbe asks often enough that a pod takes traffic within two seconds
// of its certificate, and gives up after ten.
func readinessProbe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: whenReady(), PeriodSeconds: 2, FailureThreshold: 5}
}

// startupProbe holds a native sidecar's application back until the sidecar is
// ready. Ten minutes without a control plane are nothing that starting the
// sidecar again would mend.
func startupProbe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: whenReady(), PeriodSeconds: 1, FailureThreshold: 600}
}

// endScript ends the sidecar once nobody else has a TCP socket in the pod: the
// hook runs as soon as the pod is told to end, while the application may still
// need its network, wherever the sidecar is placed. Pipy takes SIGINT for an
// end, and as process 1 nothing else; a second one cuts short what does not end.
// Fields 8 and 10 of /proc/net/tcp are a socket's user and inode (proc_net_tcp
// in the kernel's documentation); one that its process has left has inode 0.
var endScript = `used() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  awk '$8 ~ /^[0-9]+$/ && $8 != ` + strconv.Itoa(sidecarID) + ` && $10 > 0 { n++ } END { exit !n }'; }
sleep 1; while used; do sleep 1; done
kill -INT 1; sleep 5; kill -INT 1`

// afterApplication is for sidecars in an image with a shell. A sidecar without
// one has to end at its stop signal, as most do.
func afterApplication() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", endScript}},
	}}
}
