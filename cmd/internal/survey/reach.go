package survey

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	// callTimeout is longer than the API server may wait for a webhook, which is
	// 30 seconds (AdmissionRegistration, timeoutSeconds).
	callTimeout = 35 * time.Second
	// triedNamespaces is how many are asked for a pod, as long as they tell nothing.
	triedNamespaces = 5
	// maxProblem is how much of what the API server says is told.
	maxProblem = 400
)

// dryRun has the API server do everything but to store what it is asked for.
func dryRun() metav1.CreateOptions { return metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}} }

// calls has the API server call each server of the mesh. What it says of that
// counts, and not whether this machine reaches them: a firewall or a network of
// its own is often between the API server and the pods alone.
func (s *Survey) calls(ctx context.Context, snapshot *check.Snapshot) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	asks := []func(context.Context, *check.Snapshot) *check.Call{s.callInjector, s.callValidator, s.callConverter}
	answers := make([]*check.Call, len(asks))
	var group errgroup.Group
	for i, ask := range asks {
		group.Go(func() error {
			answers[i] = ask(ctx, snapshot)
			return nil
		})
	}
	_ = group.Wait() // none fails
	for _, answer := range answers {
		if answer != nil {
			snapshot.Calls = append(snapshot.Calls, *answer)
		}
	}
}

// callInjector asks for a pod in a namespace of the mesh, until one tells. What
// refuses pods there for other reasons, such as a quota, tells nothing.
func (s *Survey) callInjector(ctx context.Context, snapshot *check.Snapshot) *check.Call {
	if snapshot.Mutating == nil || len(snapshot.Mutating.Webhooks) == 0 {
		return nil // which is found anyway
	}
	call := &check.Call{Service: "osm-injector", Untried: "no namespace belongs to the mesh"}
	tried := 0
	for i := range snapshot.Namespaces {
		ns := &snapshot.Namespaces[i]
		if !snapshot.Monitored(ns) {
			continue
		}
		if tried++; tried > triedNamespaces {
			break
		}
		call.Asked = "a pod in namespace " + ns.Name
		created, err := s.Kube.CoreV1().Pods(ns.Name).Create(ctx, triedPod(), dryRun())
		if err == nil {
			call.Untried, call.Passed = "", created.Labels[injector.ProxyLabel] == ""
			return call
		}
		if s.told(call, err, snapshot.Mutating.Webhooks[0].Name) {
			return call
		}
	}
	return call
}

// triedPod is one that quotas and Pod Security let pass where they let any, and
// that asks to be of the mesh.
func triedPod() *corev1.Pod {
	little := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi")}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "osm-check-", Annotations: map[string]string{mesh.InjectionAnnotation: "enabled"}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "osm-check", Image: "osm-check",
				Resources: corev1.ResourceRequirements{Requests: little, Limits: little},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// callValidator asks for a MeshConfig with a mistake that only the webhook finds:
// to be refused is to have been reached.
func (s *Survey) callValidator(ctx context.Context, snapshot *check.Snapshot) *check.Call {
	if snapshot.Validating == nil || len(snapshot.Validating.Webhooks) == 0 {
		return nil
	}
	call := &check.Call{Service: "osm-validator", Asked: "a MeshConfig with a mistake"}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1.GroupVersion.String(), "kind": "MeshConfig",
		"metadata": map[string]any{"generateName": "osm-check-"},
		"spec":     map[string]any{"sidecar": map[string]any{"image": "not an image"}},
	}}
	_, err := s.Dynamic.Resource(v1.GroupVersion.WithResource("meshconfigs")).Namespace(s.Namespace).Create(ctx, object, dryRun())
	if err == nil {
		call.Passed = true
		return call
	}
	s.told(call, err, snapshot.Validating.Webhooks[0].Name)
	return call
}

// callConverter reads what there is in the version that nothing is stored in.
func (s *Survey) callConverter(ctx context.Context, snapshot *check.Snapshot) *check.Call {
	if snapshot.MeshConfig == nil {
		return nil // there may be nothing to convert
	}
	call := &check.Call{Service: "osm-bootstrap", Asked: "a MeshConfig of v1alpha2"}
	former := schema.GroupVersionResource{Group: v1.GroupVersion.Group, Version: "v1alpha2", Resource: "meshconfigs"}
	_, err := s.Dynamic.Resource(former).Namespace(s.Namespace).Get(ctx, snapshot.MeshConfig.Name, metav1.GetOptions{})
	if err != nil {
		s.told(call, err, "")
	}
	return call
}

// told has call say what an API server's refusal tells of it, and reports
// whether it tells anything.
func (s *Survey) told(call *check.Call, err error, webhook string) bool {
	text := err.Error()
	call.Untried = ""
	if _, answered, found := strings.Cut(text, fmt.Sprintf("admission webhook %q", webhook)); found && strings.Contains(answered, "denied the request") {
		return true
	}
	for _, failure := range []string{fmt.Sprintf("failed calling webhook %q: ", webhook), "conversion webhook for "} {
		if _, problem, found := strings.Cut(text, failure); found {
			call.Problem = clip(strings.TrimPrefix(problem, "failed to call webhook: "))
			return true
		}
	}
	call.Untried = clip(text)
	if apierrors.IsForbidden(err) && strings.Contains(text, "cannot create resource") {
		call.Untried = "you may not create " + call.Asked
	}
	return false
}

// clip cuts what an API server says, which may quote others.
func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxProblem {
		return strings.ToValidUTF8(text[:maxProblem], "") + "…"
	}
	return text
}
