package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// What Helm says of a release on its objects.
const (
	releaseName      = "meta.helm.sh/release-name"
	releaseNamespace = "meta.helm.sh/release-namespace"
)

// Command is a command of osm about this mesh. Those that change a mesh by its
// name take that, too.
func (s *Snapshot) Command(command string, named bool) string {
	command = "osm " + command
	if named && s.Mesh != "osm" {
		command += " --mesh-name " + s.Mesh
	}
	if s.Namespace != "osm-system" {
		command += " --osm-namespace " + s.Namespace
	}
	return command
}

// upgrade is what writes all that the chart consists of. Of a mesh that something
// else manages, or that is no release, osm upgrades nothing.
func (s *Snapshot) upgrade() string {
	if s.Keeper != "" {
		return "have what manages the mesh apply it again: " + s.Keeper
	}
	for _, d := range s.Deployments {
		if release, namespace := d.Annotations[releaseName], d.Annotations[releaseNamespace]; release != "" && (release != s.Mesh || namespace != s.Namespace) {
			return fmt.Sprintf("helm upgrade --reuse-values %s -n %s, with its chart", release, namespace)
		} else if release != "" {
			return s.Command("upgrade", true)
		}
	}
	if len(s.Deployments) > 0 {
		return "apply the mesh's chart again, as it was applied: it is no Helm release, which osm upgrade needs"
	}
	return s.Command("upgrade", true)
}

// set is what changes a value of the chart.
func (s *Snapshot) set(value string) string {
	upgrade := s.upgrade()
	if strings.HasPrefix(upgrade, "osm upgrade") {
		return upgrade + " --set " + value
	}
	return fmt.Sprintf("set the value %s (%s)", value, upgrade)
}

// lacking is what brings a component that has no pods; empty if it is to have
// some.
func (s *Snapshot) lacking(component string) string {
	d := s.Deployments[component]
	switch {
	case len(s.Deployments) == 0:
		return "" // nothing is known of them
	case d == nil:
		return s.upgrade()
	case d.Spec.Replicas != nil && *d.Spec.Replicas == 0:
		return fmt.Sprintf("kubectl scale deployment/%s -n %s --replicas=1", component, s.Namespace)
	}
	return ""
}

// restart has a component begin anew.
func (s *Snapshot) restart(component string) string {
	if first := s.lacking(component); first != "" {
		return first
	}
	return fmt.Sprintf("kubectl rollout restart deployment/%s -n %s", component, s.Namespace)
}

// logs shows what a component says.
func (s *Snapshot) logs(component string) string {
	if first := s.lacking(component); first != "" {
		return first
	}
	return fmt.Sprintf("kubectl logs -n %s deployment/%s", s.Namespace, component)
}

// certify has osm-bootstrap see to the serving certificates and caBundles, which
// it does not get to while a root that it is to sign with is refused.
func (s *Snapshot) certify() string {
	if first := s.blocked(); first != "" {
		return first
	}
	return s.restart("osm-bootstrap")
}

// reissue has a server get another serving certificate.
func (s *Snapshot) reissue(service string) string {
	if first := s.blocked(); first != "" {
		return first
	}
	return fmt.Sprintf("kubectl delete secret -n %s %s-tls && %s", s.Namespace, service, s.restart("osm-bootstrap"))
}

// blocked is what has to be done before osm-bootstrap signs anything.
func (s *Snapshot) blocked() string {
	signer := v1.NewestActive(s.Roots)
	if signer == nil || signer.Spec.Provider.Tresor == nil {
		return "" // it has a CA of its own
	}
	for i := range s.Roots {
		if root := &s.Roots[i]; root.Spec.Role.Used() {
			if refused := s.refusal(root); refused != nil {
				return fmt.Sprintf("Secret %s/%s first: %s", s.Namespace, refused.Name, s.correct(refused))
			}
		}
	}
	return ""
}

// named returns the MeshRootCertificate of a name.
func (s *Snapshot) named(name string) *v1.MeshRootCertificate {
	if i := slices.IndexFunc(s.Roots, func(r v1.MeshRootCertificate) bool { return r.Name == name }); i >= 0 {
		return &s.Roots[i]
	}
	return nil
}
