package injector

import corev1 "k8s.io/api/core/v1"

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

// outliveApplication keeps the sidecar for as long as applications need to end
// their connections, for plain containers are told to end all at once. By exec,
// because the kubelets that have plain containers only know no sleep of their
// own. Native sidecars end after the application in any case.
func outliveApplication() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"sleep", "10"}},
	}}
}
