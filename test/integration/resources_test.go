package integration

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/manifests/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// amounts reads "cpu 1, memory 1Gi".
func amounts(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	list := corev1.ResourceList{}
	for entry := range strings.SplitSeq(text, ", ") {
		name, amount, _ := strings.Cut(entry, " ")
		list[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return list
}

func asking(name, requests, limits string) corev1.Container {
	return corev1.Container{Name: name, Image: "example/app:1", Resources: corev1.ResourceRequirements{Requests: amounts(requests), Limits: amounts(limits)}}
}

// testResources has pods in namespaces that bound what pods may have, as they are
// without a mesh: what the API server admits there, it admits with a sidecar, with
// the same QoS class.
func testResources(t *testing.T, client kubernetes.Interface) {
	const web = "cpu 100m, memory 64Mi"
	usual := []corev1.Container{asking("web", web, "cpu 200m, memory 128Mi")}
	guaranteed := []corev1.Container{asking("web", web, web), asking("second", "", "cpu 1, memory 1Gi, ephemeral-storage 1Gi")}
	container := func(item corev1.LimitRangeItem) *corev1.LimitRange {
		item.Type = corev1.LimitTypeContainer
		return &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}}
	}
	tests := map[string]struct {
		init, containers []corev1.Container
		annotations      map[string]string
		quota            string
		ranges           *corev1.LimitRange
		whole            *corev1.ResourceRequirements
		class            corev1.PodQOSClass
	}{
		"no resources":                   {containers: []corev1.Container{asking("app", "", "")}, class: corev1.PodQOSBurstable},
		"requests":                       {containers: []corev1.Container{asking("app", web, "")}, class: corev1.PodQOSBurstable},
		"Guaranteed":                     {containers: guaranteed, class: corev1.PodQOSGuaranteed},
		"Guaranteed, init containers":    {init: []corev1.Container{asking("wait", web, web)}, containers: guaranteed, class: corev1.PodQOSGuaranteed},
		"Guaranteed, and a request":      {containers: guaranteed, annotations: map[string]string{"openservicemesh.io/sidecar-resource-requests-cpu": "20m"}, class: corev1.PodQOSGuaranteed},
		"Guaranteed, and limits":         {containers: guaranteed, annotations: map[string]string{"openservicemesh.io/sidecar-resource-limits-cpu": "200m", "openservicemesh.io/sidecar-resource-limits-memory": "200Mi"}, class: corev1.PodQOSGuaranteed},
		"as a whole":                     {containers: []corev1.Container{asking("app", "", "")}, whole: &corev1.ResourceRequirements{Limits: amounts(web)}, class: corev1.PodQOSGuaranteed},
		"CPU as a whole":                 {containers: []corev1.Container{asking("app", "", "")}, whole: &corev1.ResourceRequirements{Requests: amounts("cpu 1")}, class: corev1.PodQOSBurstable},
		"as a whole, with defaults":      {containers: []corev1.Container{asking("app", "", ""), asking("second", "", "")}, whole: &corev1.ResourceRequirements{Requests: amounts("cpu 1, memory 1Gi"), Limits: amounts("cpu 1, memory 1Gi")}, ranges: container(corev1.LimitRangeItem{Max: amounts("cpu 500m, memory 512Mi")}), class: corev1.PodQOSGuaranteed},
		"as a whole, with a quota":       {containers: []corev1.Container{asking("app", "", "")}, whole: &corev1.ResourceRequirements{Requests: amounts("cpu 1, memory 1Gi"), Limits: amounts("cpu 1, memory 1Gi")}, quota: "limits.cpu 2, limits.memory 2Gi", class: corev1.PodQOSGuaranteed},
		"a quota":                        {containers: usual, quota: "requests.cpu 4, requests.memory 4Gi, limits.cpu 8, limits.memory 8Gi", class: corev1.PodQOSBurstable},
		"a quota of requests":            {containers: []corev1.Container{asking("app", web, "")}, quota: "cpu 4, memory 4Gi", class: corev1.PodQOSBurstable},
		"a quota of storage":             {containers: []corev1.Container{asking("app", "ephemeral-storage 1Gi", "ephemeral-storage 1Gi")}, quota: "requests.ephemeral-storage 4Gi, limits.ephemeral-storage 8Gi", class: corev1.PodQOSBurstable},
		"a quota, Guaranteed":            {containers: guaranteed, quota: "requests.cpu 4, requests.memory 4Gi, limits.cpu 8, limits.memory 8Gi", class: corev1.PodQOSGuaranteed},
		"a quota and defaults":           {containers: []corev1.Container{asking("app", "", "")}, quota: "requests.cpu 4, limits.cpu 8, limits.memory 8Gi", ranges: container(corev1.LimitRangeItem{Default: amounts("cpu 1, memory 1Gi"), DefaultRequest: amounts("cpu 100m, memory 100Mi")}), class: corev1.PodQOSBurstable},
		"a maximum":                      {containers: []corev1.Container{asking("app", web, "")}, ranges: container(corev1.LimitRangeItem{Max: amounts("cpu 2, memory 1Gi")}), class: corev1.PodQOSBurstable},
		"a small maximum":                {containers: []corev1.Container{asking("app", "cpu 10m, memory 10Mi", "")}, ranges: container(corev1.LimitRangeItem{Max: amounts("cpu 50m, memory 64Mi")}), class: corev1.PodQOSBurstable},
		"a maximum alone":                {containers: []corev1.Container{asking("app", "", "")}, ranges: container(corev1.LimitRangeItem{Max: amounts("cpu 2, memory 1Gi")}), class: corev1.PodQOSGuaranteed},
		"a minimum":                      {containers: []corev1.Container{asking("app", "cpu 200m, memory 300Mi", "")}, ranges: container(corev1.LimitRangeItem{Min: amounts("cpu 50m, memory 256Mi")}), class: corev1.PodQOSBurstable},
		"a ratio":                        {containers: []corev1.Container{asking("app", "cpu 200m, memory 300Mi", "cpu 300m, memory 600Mi")}, ranges: container(corev1.LimitRangeItem{MaxLimitRequestRatio: amounts("cpu 1.5, memory 2")}), class: corev1.PodQOSBurstable},
		"a maximum of pods":              {containers: usual, ranges: &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypePod, Max: amounts("cpu 250m, memory 200Mi")}}}}, class: corev1.PodQOSBurstable},
		"storage within bounds":          {containers: []corev1.Container{asking("app", "ephemeral-storage 1Gi", "ephemeral-storage 2Gi")}, ranges: container(corev1.LimitRangeItem{Min: amounts("ephemeral-storage 512Mi"), Max: amounts("ephemeral-storage 2Gi")}), class: corev1.PodQOSBurstable},
		"a container that goes on":       {init: []corev1.Container{goingOn(asking("logs", web, web))}, containers: guaranteed, class: corev1.PodQOSGuaranteed},
		"a container that asks for none": {init: []corev1.Container{asking("wait", "", "")}, containers: guaranteed, class: corev1.PodQOSBurstable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
			if test.quota != "" {
				createQuota(t, client, namespace, test.quota)
			}
			if test.ranges != nil {
				test.ranges.Name = "bounds"
				if _, err := client.CoreV1().LimitRanges(namespace).Create(t.Context(), test.ranges, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "app", Annotations: test.annotations},
				Spec:       corev1.PodSpec{InitContainers: test.init, Containers: test.containers, Resources: test.whole},
			}
			created := createAdmitted(t, client, namespace, pod)
			if created.Status.QOSClass != test.class {
				t.Errorf("it is %s, want %s", created.Status.QOSClass, test.class)
			}
			for _, c := range slices.Concat(created.Spec.InitContainers, created.Spec.Containers) {
				if c.Name == mesh.InitContainer || mesh.IsSidecar(&c) {
					checkOurs(t, created, c, test.ranges)
				}
			}
		})
	}
}

func goingOn(c corev1.Container) corev1.Container {
	c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	return c
}

// checkOurs wants of a container of the mesh what a HorizontalPodAutoscaler needs,
// and that it has not the whole of a maximum that leaves more than it needs.
func checkOurs(t *testing.T, pod *corev1.Pod, c corev1.Container, ranges *corev1.LimitRange) {
	t.Helper()
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, requested := c.Resources.Requests[name]
		if whole := pod.Spec.Resources; whole != nil && len(whole.Requests) > 0 {
			_, requested = whole.Requests[name]
			requested = requested || request.Sign() > 0
		}
		if !requested {
			t.Errorf("container %s requests no %s", c.Name, name)
		}
		if ranges == nil {
			continue
		}
		most, bounded := ranges.Spec.Limits[0].Max[name]
		enough := map[corev1.ResourceName]resource.Quantity{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("512Mi")}[name]
		if limit := c.Resources.Limits[name]; bounded && most.Cmp(enough) > 0 && limit.Cmp(most) >= 0 {
			t.Errorf("container %s is limited to %s %s, the whole maximum", c.Name, &limit, name)
		}
	}
}

func createQuota(t *testing.T, client kubernetes.Interface, namespace, hard string) {
	t.Helper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "compute"}, Spec: corev1.ResourceQuotaSpec{Hard: amounts(hard)}}
	if _, err := client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "the quota is enforced", func(ctx context.Context) (bool, error) {
		quota, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "compute", metav1.GetOptions{})
		return err == nil && maps.EqualFunc(quota.Status.Hard, amounts(hard), func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }), err
	})
}

// createAdmitted creates a pod as soon as osm-injector knows what bounds it.
func createAdmitted(t *testing.T, client kubernetes.Interface, namespace string, pod *corev1.Pod) (created *corev1.Pod) {
	t.Helper()
	last := ""
	testkit.Condition(t, "the pod is admitted", func(ctx context.Context) (_ bool, err error) {
		created, err = client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		if err != nil && err.Error() != last {
			last = err.Error()
			t.Log(last)
		}
		return err == nil, nil
	})
	return created
}
