package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// change does what a command does to an object. Flags with values come first.
func (w *world) change(words []string, has func(...string) bool) error {
	here, after := has("-n", walkSpace), func(word string) string {
		if i := slices.Index(words, word); i >= 0 && i+1 < len(words) {
			return words[i+1]
		}
		return ""
	}
	namespace, last := after("-n"), words[len(words)-1]
	switch command := strings.Join(words[:3], " "); {
	case command == "osm ca rotate" && has("--osm-namespace", walkSpace):
		name, own := RootSecret(v1.NewestActive(w.Roots))
		if !own || w.Replacement(v1.NewestActive(w.Roots)) != "" || w.refusal(v1.NewestActive(w.Roots)) != nil {
			return fmt.Errorf("osm ca rotate refuses: %s", w.Replacement(v1.NewestActive(w.Roots)))
		}
		delete(w.Secrets, name)
		w.bootstrap()
	case command == "osm uninstall mesh":
		w.Others = slices.DeleteFunc(w.Others, func(o Other) bool { return o == Other{after("--mesh-name"), after("--osm-namespace")} })
	case command == "kubectl delete secret" && here:
		for _, name := range words[5:] {
			delete(w.Secrets, name)
		}
		w.bootstrap()
	case command == "kubectl delete secret":
		delete(w.Leftovers, namespace)
	case command == "kubectl delete configmap":
		delete(w.Copies, namespace)
		w.publish()
	case has("kubectl", "create", "secret", "generic", "token", "-n", walkSpace, "--from-file=it", "--dry-run=client", "-o", "yaml", "|", "kubectl", "apply", "-f", "-"):
		ready(w)
	case has("kubectl", "create", "secret", "generic", "token", "-n", walkSpace, "--from-file=it"):
		w.Secrets["token"] = &corev1.Secret{}
	case command == "kubectl annotate secret" && here && w.Secrets[words[5]] != nil && last == v1.AnnotationVaultAddress+"="+w.Roots[0].Spec.Provider.Vault.Address:
		ready(w)
	case command == "kubectl patch mrc" && here:
		w.named(words[5]).Spec.Role = v1.Active
		w.bootstrap()
	case command == "kubectl patch secret" && here:
		delete(w.Secrets[words[5]].Data, last[strings.LastIndex(last, "/")+1:len(last)-2])
		w.bootstrap()
	case has("kubectl", "replace", "-f", "-") && here:
		return w.replaceSecret(words)
	case strings.HasPrefix(command, "kubectl label") || strings.HasPrefix(command, "kubectl annotate"):
		return w.mark(words[1], words[slices.Index(words, "namespace")+1], last)
	case command == "kubectl rollout restart", command == "kubectl delete pod":
		return w.renew(namespace, words[5:])
	case command == "kubectl delete job":
		w.Stuck = nil
	default:
		return fmt.Errorf("no part of a mesh does %q", strings.Join(words, " "))
	}
	return nil
}

// replaceSecret puts files into a Secret that is there, and may be changed.
func (w *world) replaceSecret(words []string) error {
	secret := w.Secrets[words[4]]
	if secret == nil || secret.Immutable != nil && *secret.Immutable {
		return fmt.Errorf("kubectl replace: secret %s is not there, or immutable", words[4])
	}
	secret.Data, secret.Labels = map[string][]byte{}, nil
	for _, word := range words {
		if key, ok := strings.CutPrefix(word, "--from-file="); ok {
			secret.Data[key] = w.files[key]
		}
	}
	w.bootstrap()
	return nil
}

func (w *world) mark(verb, namespace, mark string) error {
	i := slices.IndexFunc(w.Namespaces, func(n corev1.Namespace) bool { return n.Name == namespace })
	if i < 0 {
		return fmt.Errorf("there is no namespace %s", namespace)
	}
	of := &w.Namespaces[i].Labels
	if verb == "annotate" {
		of = &w.Namespaces[i].Annotations
	}
	key, value, set := strings.Cut(mark, "=")
	if !set {
		delete(*of, strings.TrimSuffix(mark, "-"))
	} else if *of == nil {
		*of = map[string]string{key: value}
	} else {
		(*of)[key] = value
	}
	w.Stuck = nil
	w.publish()
	return nil
}

// renew makes new pods of workloads, or of pods that are named.
func (w *world) renew(namespace string, names []string) error {
	found := false
	for i := range w.Pods {
		pod := &w.Pods[i]
		if pod.Namespace != namespace || !slices.Contains(names, pod.Name) && !slices.Contains(names, pod.Workload) {
			continue
		}
		pod.Sidecar, pod.NotReady, found = true, "", true
		for j := range pod.Ports {
			pod.Ports[j].Declared = pod.Ports[j].Named
		}
		for j := range w.Roots {
			w.Roots[j].Status.Rotation = nil
		}
	}
	if !found {
		return fmt.Errorf("there are no pods of %s in namespace %s", names, namespace)
	}
	return nil
}

func tresorRoot(name string, role v1.Role, secret string) v1.MeshRootCertificate {
	return v1.MeshRootCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Spec:       v1.MeshRootCertificateSpec{Role: role, TrustDomain: "cluster.local", Provider: v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: secret}}}},
	}
}

// rootIn is a Secret as the mesh makes one.
func rootIn(t *testing.T, name string, root pair) *corev1.Secret {
	certificate, key := root.pem(t)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: walkSpace, Labels: manifests.Labels(walkMesh, "0.1.0")},
		Data:       map[string][]byte{rootsecret.CertificateKey: certificate, rootsecret.PrivateKeyKey: key},
	}
}

func keyPair(t *testing.T, secret *corev1.Secret) pair {
	t.Helper()
	parsed, err := trustbundle.ParseKeyPair(secret.Data[rootsecret.CertificateKey], secret.Data[rootsecret.PrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	key, err := trustbundle.ParseKey(secret.Data[rootsecret.PrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return pair{parsed.Leaf, key}
}
