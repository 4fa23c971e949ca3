package mesh

import "strings"

const (
	// MonitoredByLabel has a namespace belong to the mesh that it names.
	MonitoredByLabel = "openservicemesh.io/monitored-by"
	// IgnoreLabel keeps a namespace out of every mesh, whatever its value.
	IgnoreLabel = "openservicemesh.io/ignore"
	// InjectionAnnotation says whether a pod, or those of a namespace, get a
	// sidecar: see Switch.
	InjectionAnnotation = "openservicemesh.io/sidecar-injection"
)

// Switch reads an annotation that turns something on or off: enabled, yes or true,
// and disabled, no or false, in letters of any case. Any other value is not ok.
func Switch(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "enabled", "yes", "true":
		return true, true
	case "disabled", "no", "false":
		return false, true
	}
	return false, false
}
