//go:build hostile

package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	injection = "openservicemesh.io/sidecar-injection"
	// callersText is what the caller would have in an Event.
	callersText   = "callers-text"
	refusalReason = "InjectionRefused"
	anonymous     = 40 // admissions of an attack
	unknown       = 200
	// What osm-injector looks up for callers: so much at once, and so much a second.
	ownerBurst, ownerRate         = 20, 1
	namespaceBurst, namespaceRate = 20, 5
)

// anyone calls the injector without a credential.
type anyone struct {
	*realMesh
	http *http.Client
}

func attackInjector(t *testing.T, m *realMesh) {
	a := &anyone{m, caller(attackers)}
	a.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return m.cluster.Dial(ctx, network, address)
	}
	attack.Works(t, "injector", "new namespaces are found at once", a.findsNewNamespaces)
	attackEvents(t, a)
	attackNamespaces(t, a)
	attack.Works(t, "injector", "a pod of a ReplicaSet that is refused has its Event", a.tellsOwners)
}

// attackEvents has each attack begin with an injector that has looked nothing up.
func attackEvents(t *testing.T, a *anyone) {
	set := a.replicaSet(t, "real", nil)
	sets := make([]*appsv1.ReplicaSet, anonymous)
	for i := range sets {
		sets[i] = a.replicaSet(t, fmt.Sprintf("one-of-many-%d", i), nil)
	}
	for what, e := range map[string]struct {
		owner func(i int) metav1.OwnerReference
		most  float64 // Events at once
		rate  float64 // and Events a second
	}{
		"a ReplicaSet by its UID": {owner: func(int) metav1.OwnerReference {
			return controller("apps/v1", "ReplicaSet", set.Name, set.UID)
		}, most: 1},
		"ReplicaSets by their UIDs": {owner: func(i int) metav1.OwnerReference {
			return controller("apps/v1", "ReplicaSet", sets[i].Name, sets[i].UID)
		}, most: ownerBurst, rate: ownerRate},
		"a ReplicaSet by another's UID": {owner: func(i int) metav1.OwnerReference {
			return controller("apps/v1", "ReplicaSet", set.Name, types.UID(fmt.Sprintf("9b7c5d6e-0000-4000-8000-0000000000%02d", i)))
		}},
		"a Deployment, which controls no pod": {owner: func(int) metav1.OwnerReference {
			return controller("apps/v1", "Deployment", "real", set.UID)
		}},
		"a ReplicaSet that is not there": {owner: func(int) metav1.OwnerReference {
			return controller("apps/v1", "ReplicaSet", callersText, set.UID)
		}},
		"a kind of the caller's": {owner: func(int) metav1.OwnerReference {
			return controller(callersText+"/v1", callersText, callersText, set.UID)
		}},
	} {
		a.restart(t)
		attack.Refused(t, "injector", fmt.Sprintf("%d pods with the caller's text are of %s", anonymous, what), func(t *testing.T) (string, error) {
			before, err := a.events(t)
			if err != nil {
				return "", err
			}
			began := time.Now()
			err = a.refuse(t.Context(), e.owner)
			after, eventsErr := a.events(t)
			most := e.most + math.Ceil(e.rate*time.Since(began).Seconds())
			if err = errors.Join(err, eventsErr); err == nil && float64(after-before) > most {
				err = fmt.Errorf("%d Events, want %.0f at most", after-before, most)
			}
			return fmt.Sprintf("%d Events, none with its text", after-before), err
		})
	}
	a.restart(t)
	attack.Refused(t, "injector", fmt.Sprintf("%d pods are of ReplicaSets that are not there, and the look-ups", anonymous), func(t *testing.T) (string, error) {
		return a.count(t, "replicasets", ownerBurst, ownerRate, func() error {
			return a.refuse(t.Context(), func(i int) metav1.OwnerReference {
				return controller("apps/v1", "ReplicaSet", fmt.Sprintf("%s-%d", callersText, i), set.UID)
			})
		})
	})
}

// restart leaves the injector without what it remembers of callers.
func (a *anyone) restart(t *testing.T) {
	t.Helper()
	check(t, mesh.Restart(testkit.Context(t, time.Minute), a.client, mesh.Namespace, "osm-injector"))
	a.http.CloseIdleConnections()
}

func attackNamespaces(t *testing.T, a *anyone) {
	ask := func(i int) error {
		_, answer, err := a.post(t.Context(), fmt.Sprintf("%s-%d-%d", callersText, time.Now().UnixNano(), i), a.bad(i))
		return errors.Join(err, tellsNothing(answer))
	}
	attack.Refused(t, "injector", fmt.Sprintf("%d reviews are of namespaces that are not there, and the look-ups", unknown), func(t *testing.T) (string, error) {
		return a.count(t, "namespaces", namespaceBurst, namespaceRate, func() error { return atOnce(unknown, ask) })
	})
	attack.Works(t, "injector", "a new namespace is found while others are made up", func(t *testing.T) (string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var flood errgroup.Group
		begun := make(chan struct{}, 1)
		flood.Go(func() error {
			defer close(begun) // where it fails at once
			for first := true; ctx.Err() == nil; first = false {
				if err := atOnce(unknown, ask); err != nil {
					return err
				}
				if first {
					begun <- struct{}{}
				}
			}
			return nil
		})
		<-begun
		slowest := a.findsAmong(t)
		cancel()
		err := flood.Wait()
		if err == nil && slowest > 3*time.Second {
			err = fmt.Errorf("the slowest took %s", slowest)
		}
		return "10 of 10, the slowest after " + slowest.Round(time.Millisecond).String(), err
	})
	attack.Refused(t, "injector", "reviews of a namespace that is not the mesh's tell of the mesh", a.asksOutside)
}

func controller(apiVersion, kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: new(true)}
}

// bad is a pod that is refused, full of the caller's text.
func (*anyone) bad(i int, owners ...metav1.OwnerReference) *corev1.Pod {
	text := fmt.Sprintf("%s-%d", callersText, i)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: text, OwnerReferences: owners, Labels: map[string]string{text: text},
			Annotations: map[string]string{injection: text, text: text, "openservicemesh.io/" + text: text},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: text, Image: text}}},
	}
}

// refuse has pods of namespace shop refused, whose owners the caller chooses.
func (a *anyone) refuse(ctx context.Context, owner func(i int) metav1.OwnerReference) error {
	return atOnce(anonymous, func(i int) error {
		_, answer, err := a.post(ctx, "shop", a.bad(i, owner(i)))
		if err == nil && !strings.Contains(answer, `"allowed":false`) {
			err = fmt.Errorf("the pod is not refused: %.300s", answer)
		}
		return err
	})
}

func atOnce(n int, do func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(attackers)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	return group.Wait()
}

// post asks the injector about a pod.
func (a *anyone) post(ctx context.Context, namespace string, pod *corev1.Pod) (int, string, error) {
	raw, err := json.Marshal(pod)
	if err != nil {
		return 0, "", err
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "u", Namespace: namespace, Operation: admissionv1.Create,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://osm-injector."+mesh.Namespace+".svc:9090/mutate-pod-creation", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// events returns how many Events of refusals there are, and fails if one says what
// the caller did. All that was refused before has its Event by then: they are
// written in their order.
func (a *anyone) events(t *testing.T) (int, error) {
	const last = "last-"
	marker := a.replicaSet(t, fmt.Sprint(last, time.Now().UnixNano()), nil)
	a.await(t, "the Event of what is refused last", func(ctx context.Context) error {
		_, _, err := a.post(ctx, "shop", a.bad(0, controller("apps/v1", "ReplicaSet", marker.Name, marker.UID)))
		return errors.Join(err, a.hasEvent(ctx, marker.Name))
	})
	list, err := a.client.CoreV1().Events(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, event := range list.Items {
		text := must[[]byte](t)(json.Marshal(event))
		if bytes.Contains(bytes.ToLower(text), []byte(callersText)) {
			return 0, fmt.Errorf("an Event has the caller's text: %s", text)
		}
		if event.Reason == refusalReason && !strings.HasPrefix(event.InvolvedObject.Name, last) {
			n += int(max(event.Count, 1))
		}
	}
	return n, nil
}

func (a *anyone) hasEvent(ctx context.Context, name string) error {
	list, err := a.client.CoreV1().Events("shop").List(ctx, metav1.ListOptions{FieldSelector: "reason=" + refusalReason + ",involvedObject.kind=ReplicaSet,involvedObject.name=" + name})
	if err == nil && len(list.Items) == 0 {
		err = errors.New("there is none")
	}
	return err
}

func (a *anyone) replicaSet(t *testing.T, name string, annotations map[string]string) *appsv1.ReplicaSet {
	t.Helper()
	labels := map[string]string{"app": name}
	return must[*appsv1.ReplicaSet](t)(a.client.AppsV1().ReplicaSets("shop").Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(len(annotations))), // 0 for one that has none
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
			},
		},
	}, metav1.CreateOptions{}))
}

// tellsOwners has the controllers of Kubernetes create a pod that is refused.
func (a *anyone) tellsOwners(t *testing.T) (string, error) {
	set := a.replicaSet(t, "honest", map[string]string{injection: "maybe"})
	a.await(t, "its Event", func(ctx context.Context) error { return a.hasEvent(ctx, set.Name) })
	return refusalReason, nil
}

// count returns how many live GETs of what is not there an attack costs.
func (a *anyone) count(t *testing.T, resource string, burst, rate float64, try func() error) (string, error) {
	before, err := a.misses(t, resource)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := try(); err != nil {
		return "", err
	}
	if _, err := a.events(t); err != nil { // by then, all is looked up
		return "", err
	}
	most := burst + rate*time.Since(began).Seconds() + 1
	after, err := a.misses(t, resource)
	if err == nil && after-before > most {
		err = fmt.Errorf("%.0f live GETs, want %.0f at most", after-before, most)
	}
	return fmt.Sprintf("%.0f live GETs of %.0f at most", after-before, most), err
}

// misses counts the GETs that the API server has answered with 404.
func (a *anyone) misses(t *testing.T, resource string) (float64, error) {
	text, err := a.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	want, n := map[string]string{"resource": resource, "verb": "GET", "code": "404"}, 0.0
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		same := 0
		for _, label := range metric.GetLabel() {
			if want[label.GetName()] == label.GetValue() && label.GetValue() != "" {
				same++
			}
		}
		if same == len(want) {
			n += metric.GetCounter().GetValue()
		}
	}
	return n, nil
}

// findsAmong returns how long the slowest of new namespaces took to be found, where
// others ask as well.
func (a *anyone) findsAmong(t *testing.T) (slowest time.Duration) {
	for i := range 10 {
		began := time.Now()
		a.await(t, "the sidecar of a new namespace's pod", func(ctx context.Context) error {
			return a.injected(ctx, fmt.Sprintf("found-in-a-flood-%d", i))
		})
		slowest = max(slowest, time.Since(began))
	}
	return slowest
}

// findsNewNamespaces asks about a pod right after its namespace is created.
func (a *anyone) findsNewNamespaces(t *testing.T) (string, error) {
	const n = 10
	for i := range n {
		if err := a.injected(t.Context(), fmt.Sprintf("new-%d", i)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d of %d", n, n), nil
}

func (a *anyone) injected(ctx context.Context, namespace string) error {
	if err := mesh.Join(ctx, a.client, namespace); err != nil {
		return err
	}
	_, answer, err := a.post(ctx, namespace, &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}}})
	if err == nil && !strings.Contains(answer, `"patchType":"JSONPatch"`) {
		err = fmt.Errorf("no sidecar: %.300s", answer)
	}
	return err
}

// asksOutside sends pods that the mesh would inject or refuse.
func (a *anyone) asksOutside(t *testing.T) (string, error) {
	good := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}}}
	asks := good.DeepCopy()
	asks.Annotations = map[string]string{injection: "enabled"}
	conflicts := good.DeepCopy()
	conflicts.Spec.Containers[0].Name = "osm-init"
	pods := map[string]*corev1.Pod{"a pod": good, "one that asks": asks, "one that conflicts": conflicts, "one that is bad": a.bad(0)}
	for _, namespace := range []string{"outside", "kube-system", mesh.Namespace, callersText} {
		var first string
		for what, pod := range pods {
			status, answer, err := a.post(t.Context(), namespace, pod)
			if err := errors.Join(err, tellsNothing(answer)); err != nil {
				return "", fmt.Errorf("%s in %s: %w", what, namespace, err)
			}
			if answer = fmt.Sprint(status, answer); first == "" {
				first = answer
			}
			if namespace != callersText && answer != first {
				return "", fmt.Errorf("%s in %s is answered %s, another pod %s", what, namespace, answer, first)
			}
		}
	}
	return fmt.Sprintf("%d pods are answered alike", len(pods)), nil
}

// tellsNothing looks for settings of the mesh in an answer.
func tellsNothing(answer string) error {
	for _, word := range []string{`"patch"`, "patchType", "15128", "cluster.local", "pipy", "MeshConfig", "flomesh", "osm-controller", "image"} {
		if strings.Contains(answer, word) {
			return fmt.Errorf("the answer has %s: %.300s", word, answer)
		}
	}
	return nil
}
