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
// sidecar again would fix.
func startupProbe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: whenReady(), PeriodSeconds: 1, FailureThreshold: 600}
}

// runScript runs Pipy below a shell, for as process 1 it takes no signal but
// SIGINT, and sometimes hangs while it ends. To end it, end
// the shell. There is nothing to wait for then: see outliveScript.
const runScript = `export OSM_SIDECAR_SHELL=$$
trap 'kill -KILL $!; exit 0' TERM INT
pipy "$@" & wait $!`

// outliveScript ends once only the sidecar has a TCP socket in the pod.
// Fields 8 and 10 of /proc/net/tcp are a socket's user and inode (proc_net_tcp
// in the kernel's documentation); one that its process has left has inode 0.
var outliveScript = `used() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  awk '$8 ~ /^[0-9]+$/ && $8 != ` + strconv.Itoa(sidecarID) + ` && $10 > 0 { n++ } END { exit !n }'; }
sleep 1; while used; do sleep 1; done`

// outliveApplication keeps the sidecar for as long as the application has
// connections, for plain containers are told to end all at once. Native sidecars
// end after the application in any case, and a hook of theirs would run before.
func outliveApplication() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", outliveScript}},
	}}
}
