package check

import (
	"fmt"
	"slices"
)

// PullSecrets are the names of the Secrets that the mesh's images are pulled with.
func (s *Snapshot) PullSecrets() (names []string) {
	if d := s.Deployments["osm-injector"]; d != nil {
		for _, reference := range d.Spec.Template.Spec.ImagePullSecrets {
			names = append(names, reference.Name)
		}
	}
	return names
}

// registries looks whether pods can pull the sidecar's image where that takes a
// Secret, which each of their namespaces has to have.
func (s *Snapshot) registries(c *Check) {
	secrets := s.PullSecrets()
	if len(secrets) == 0 {
		c.Summary = "images are pulled without Secrets"
		return
	}
	c.Summary = "images are pulled with Secret " + names(secrets)
	namesOne := func(pod Pod) bool {
		return slices.ContainsFunc(pod.PullSecrets, func(name string) bool { return slices.Contains(secrets, name) })
	}
	for _, namespace := range s.monitored() {
		var silent []Pod
		for _, pod := range s.Pods {
			if pod.Namespace == namespace && pod.Sidecar && !namesOne(pod) {
				silent = append(silent, pod)
			}
		}
		for _, name := range secrets {
			if !slices.Contains(s.Pulling[name], namespace) {
				c.warn("Secret "+namespace+"/"+name, fmt.Sprintf("kubectl create secret docker-registry %s -n %s --docker-server=… --docker-username=… --docker-password=…", name, namespace),
					"it does not exist: the mesh's images are pulled with it, and pods have Secrets of their own namespace only")
			}
		}
		if len(silent) > 0 {
			c.warn("Namespace "+namespace, fmt.Sprintf(`for each service account of the pods: kubectl patch serviceaccount default -n %s -p '{"imagePullSecrets":[{"name":"%s"}]}' && %s`, namespace, secrets[0], replace(namespace, silent)),
				"%s without Secret %s among its imagePullSecrets, with which the sidecar's image is pulled: %s", count(len(silent), "pod"), names(secrets), names(podNames(silent)))
		}
	}
}
