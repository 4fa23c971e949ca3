package injector

import (
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// admit tells what happens to the pod of request.
func (h *Handler) admit(request admission.Request) result {
	if pods := (metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}); request.Kind != pods || request.SubResource != "" {
		return failed(http.StatusBadRequest, fmt.Errorf(
			"%s %q: this webhook takes v1 pods and no subresource: mend the rules of the MutatingWebhookConfiguration",
			request.Kind, request.SubResource))
	}
	if request.Operation != admissionv1.Create {
		return skipped("only new pods get a sidecar")
	}
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return failed(http.StatusBadRequest, fmt.Errorf("decoding the pod: %w", err))
	}
	name := podName(&pod, request.Namespace)
	namespace, err := h.options.Namespaces.Get(request.Namespace)
	if err != nil {
		// A namespace may be newer than what the informer has seen. To fail is
		// safe, and whoever creates pods tries again.
		return failed(http.StatusInternalServerError, fmt.Errorf("looking up the namespace of pod %s: %w: try again", name, err))
	}
	result := h.inject(&pod, namespace)
	result.pod = name
	return result
}

// inject gives pod a sidecar, if it is to have one and does not have it yet.
func (h *Handler) inject(pod *corev1.Pod, namespace *corev1.Namespace) result {
	config := h.options.Config()
	decision, err := decide(pod, namespace, config)
	if err != nil {
		return refused(err)
	}
	if !decision.inject {
		return skipped(decision.reason)
	}
	id, has, err := standing(pod, namespace.Name, config)
	if err != nil {
		return refused(fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err))
	}
	if has {
		return skipped("the pod has its sidecar")
	}
	bootstrap := newBootstrap(config, id, h.options.NewProxyID())
	mutated, err := mutate(pod, bootstrap, config)
	if err != nil {
		return failed(http.StatusInternalServerError, err)
	}
	return result{
		outcome: outcomeInjected,
		reason:  decision.reason,
		proxy:   bootstrap.Proxy,
		patch:   patch(pod, mutated),
	}
}

// standing tells who a pod runs as and whether it has the sidecar of that
// identity. The API server sets the service account before it calls webhooks;
// a pod without one is taken as what it would get.
func standing(pod *corev1.Pod, namespace string, config *Config) (id identity, has bool, err error) {
	serviceAccount := pod.Spec.ServiceAccountName
	if serviceAccount == "" {
		serviceAccount = "default"
	}
	id, err = newIdentity(config.settings.TrustDomain, namespace, serviceAccount)
	if err != nil {
		return identity{}, false, err
	}
	has, err = injected(pod, id)
	return id, has, err
}
