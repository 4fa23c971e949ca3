package injector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// having is a container with requests and limits, such as "cpu 1, memory 1Gi".
func having(t testing.TB, requests, limits string) corev1.Container {
	t.Helper()
	return corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{Requests: listOf(t, requests), Limits: listOf(t, limits)}}
}

func listOf(t testing.TB, text string) corev1.ResourceList {
	t.Helper()
	if text == "" {
		return nil
	}
	of := amounts{}
	for entry := range strings.SplitSeq(text, ", ") {
		name, value, ok := strings.Cut(entry, " ")
		if !ok {
			t.Fatalf("%q has no amount", entry)
		}
		of[corev1.ResourceName(name)] = value
	}
	return list(of)
}

// ranging is a LimitRange of containers.
func ranging(of corev1.LimitRangeItem) []*corev1.LimitRange {
	if of.Type == "" {
		of.Type = corev1.LimitTypeContainer
	}
	return []*corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{of}}}}
}

func TestASidecarHasWhatItsPodNeedsItToHave(t *testing.T) {
	const idle = "cpu 10m, memory 32Mi"
	container := func(requests, limits string) *corev1.Pod { return podWith(having(t, requests, limits)) }
	whole := func(requests, limits string) *corev1.Pod {
		pod := podWith(corev1.Container{Name: "app"})
		pod.Spec.Resources = &corev1.ResourceRequirements{Requests: listOf(t, requests), Limits: listOf(t, limits)}
		return pod
	}
	set := func(requests, limits string) overrides {
		return overrides{resources: corev1.ResourceRequirements{Requests: listOf(t, requests), Limits: listOf(t, limits)}}
	}
	asked := func(requests, limits string) overrides {
		o := set(requests, limits)
		o.podRequests = o.resources.Requests
		return o
	}
	items := func(min, max, ratio string) []*corev1.LimitRange {
		return ranging(corev1.LimitRangeItem{Min: listOf(t, min), Max: listOf(t, max), MaxLimitRequestRatio: listOf(t, ratio)})
	}
	withInit := func() *corev1.Pod {
		p := container("cpu 1m", "cpu 100m")
		native := having(t, "", "cpu 150m")
		native.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		p.Spec.InitContainers = []corev1.Container{native, having(t, "", "cpu 800m")}
		return p
	}
	tests := map[string]struct {
		pod              *corev1.Pod
		set              overrides
		ranges           []*corev1.LimitRange
		requests, limits string
		warning          string
	}{
		"BestEffort":               {pod: container("", ""), requests: idle},
		"requests only":            {pod: container("cpu 1, memory 1Gi", ""), requests: idle},
		"a small limit":            {pod: container("cpu 10m", "cpu 20m"), requests: idle, limits: "cpu 100m"},
		"the limit of the largest": {pod: container("cpu 10m", "cpu 300m"), requests: idle, limits: "cpu 300m"},
		"a large limit":            {pod: container("cpu 10m", "cpu 8"), requests: idle, limits: "cpu 500m"},
		"limits of all three":      {pod: container("cpu 1m, memory 1Mi", "cpu 8, memory 8Gi, ephemeral-storage 8Gi"), requests: idle + ", ephemeral-storage 16Mi", limits: "cpu 500m, memory 512Mi, ephemeral-storage 128Mi"},
		"storage is requested":     {pod: container("ephemeral-storage 8Gi", ""), requests: idle + ", ephemeral-storage 16Mi"},
		"one of two has a limit":   {pod: podWith(having(t, "", "cpu 1"), having(t, "", "")), requests: idle},
		"an init container has no limit": {pod: func() *corev1.Pod {
			p := container("cpu 1m", "cpu 1")
			p.Spec.InitContainers = []corev1.Container{{}}
			return p
		}(), requests: idle},
		"Guaranteed":               {pod: container("cpu 2, memory 1Gi", "cpu 2, memory 1Gi"), requests: "cpu 100m, memory 128Mi", limits: "cpu 100m, memory 128Mi"},
		"Guaranteed by limits":     {pod: container("", "cpu 20m, memory 16Mi"), requests: "cpu 100m, memory 128Mi", limits: "cpu 100m, memory 128Mi"},
		"limits of zero":           {pod: container("", "cpu 0, memory 0"), requests: idle, limits: "cpu 100m, memory 128Mi"},
		"Guaranteed, with storage": {pod: container("", "cpu 1, memory 1Gi, ephemeral-storage 1Gi"), requests: "cpu 100m, memory 128Mi, ephemeral-storage 16Mi", limits: "cpu 100m, memory 128Mi, ephemeral-storage 128Mi"},

		"resources of the pod as a whole":                 {pod: whole("cpu 1, memory 1Gi", ""), set: set("cpu 1", "memory 1Gi")},
		"CPU of the pod as a whole":                       {pod: whole("", "cpu 1"), requests: "memory 32Mi"},
		"empty resources of the pod as a whole":           {pod: whole("", ""), requests: idle},
		"CPU of the pod as a whole, and a default":        {pod: whole("", "cpu 1"), ranges: ranging(corev1.LimitRangeItem{Default: listOf(t, "cpu 2")}), requests: "cpu 0, memory 32Mi"},
		"CPU of the pod as a whole, and a minimum":        {pod: whole("", "cpu 1"), ranges: ranging(corev1.LimitRangeItem{Min: listOf(t, "cpu 20m"), DefaultRequest: listOf(t, "cpu 1")}), requests: "cpu 20m, memory 32Mi"},
		"a request that is set":                           {pod: container("", ""), set: set("cpu 50m", ""), requests: "cpu 50m, memory 32Mi"},
		"requests of zero":                                {pod: container("", ""), set: set("cpu 0, memory 0", ""), requests: "cpu 0, memory 0"},
		"a limit that is set is the request":              {pod: container("", ""), set: set("", "cpu 50m"), requests: "memory 32Mi", limits: "cpu 50m"},
		"a request above the usual limit":                 {pod: container("cpu 1m", "cpu 8"), set: set("cpu 2", ""), requests: "cpu 2, memory 32Mi", limits: "cpu 2"},
		"set, of a Guaranteed pod":                        {pod: container("", "cpu 1, memory 1Gi"), set: asked("", "cpu 200m, memory 256Mi"), limits: "cpu 200m, memory 256Mi"},
		"a small request in a Guaranteed pod":             {pod: container("", "cpu 1, memory 1Gi"), set: set("cpu 50m", ""), requests: "cpu 100m, memory 128Mi", limits: "cpu 100m, memory 128Mi", warning: "request of 50m cpu is raised to 100m"},
		"a large request in a Guaranteed pod":             {pod: container("", "cpu 1, memory 1Gi"), set: asked("cpu 2", ""), requests: "cpu 2, memory 128Mi", limits: "cpu 2, memory 128Mi"},
		"both of the mesh in a Guaranteed pod":            {pod: container("", "cpu 1, memory 1Gi"), set: set("cpu 50m", "cpu 70m"), requests: "cpu 70m, memory 128Mi", limits: "cpu 70m, memory 128Mi", warning: "request of 50m cpu is raised to 70m"},
		"both of the pod in a Guaranteed pod":             {pod: container("", "cpu 1, memory 1Gi"), set: asked("cpu 50m", "cpu 70m"), requests: "cpu 50m, memory 128Mi", limits: "cpu 70m, memory 128Mi", warning: "becomes Burstable: its sidecar's request of 50m cpu is not its limit of 70m"},
		"a maximum of containers":                         {pod: container("", "cpu 200m"), ranges: items("", "cpu 50m", ""), requests: idle, limits: "cpu 50m"},
		"a maximum below the request":                     {pod: container("", "cpu 5m"), ranges: items("", "cpu 5m", ""), requests: "cpu 5m, memory 32Mi", limits: "cpu 5m"},
		"a maximum, and a pod that is not defaulted yet":  {pod: container("", ""), ranges: items("", "cpu 4", ""), requests: idle, limits: "cpu 100m"},
		"a minimum of containers":                         {pod: container("cpu 200m", ""), ranges: items("cpu 50m, memory 64Mi", "", ""), requests: "cpu 50m, memory 64Mi"},
		"a minimum above the limit":                       {pod: container("", "cpu 1"), ranges: items("cpu 700m", "", ""), requests: "cpu 700m, memory 32Mi", limits: "cpu 700m"},
		"a minimum of a Guaranteed pod":                   {pod: container("", "cpu 1, memory 1Gi"), ranges: items("cpu 700m", "", ""), requests: "cpu 700m, memory 128Mi", limits: "cpu 700m, memory 128Mi"},
		"a minimum, and a request that is set below":      {pod: container("", ""), set: set("cpu 1m", ""), ranges: items("cpu 50m", "", ""), requests: "cpu 1m, memory 32Mi"},
		"a ratio that leaves room":                        {pod: container("cpu 1", "cpu 1"), ranges: items("", "", "cpu 50"), requests: idle, limits: "cpu 500m"},
		"a ratio":                                         {pod: container("cpu 1", "cpu 2"), ranges: items("", "", "cpu 3, memory 3"), requests: "cpu 34m, memory 44739243", limits: "cpu 100m, memory 128Mi"},
		"a ratio of one":                                  {pod: container("cpu 1", "cpu 1"), ranges: items("", "", "cpu 1"), requests: "cpu 100m, memory 32Mi", limits: "cpu 100m"},
		"a ratio of a fraction":                           {pod: container("cpu 1", "cpu 1"), ranges: items("", "", "cpu 1.5"), requests: "cpu 67m, memory 32Mi", limits: "cpu 100m"},
		"a ratio, and a request that is set":              {pod: container("cpu 1", "cpu 1"), set: set("cpu 20m", ""), ranges: items("", "", "cpu 2"), requests: "cpu 20m, memory 32Mi", limits: "cpu 40m"},
		"a maximum of the pod":                            {pod: container("cpu 1", "cpu 900m"), ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listOf(t, "cpu 1")}), requests: idle, limits: "cpu 100m"},
		"a maximum of the pod that leaves little":         {pod: container("cpu 1", "cpu 950m"), ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listOf(t, "cpu 1")}), requests: idle, limits: "cpu 50m"},
		"a maximum of the pod that leaves nothing":        {pod: container("cpu 1m", "cpu 1"), ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listOf(t, "cpu 1")}), requests: idle, limits: "cpu 500m"},
		"a maximum of the pod beside an init container":   {pod: withInit(), set: overrides{placement: Native}, ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listOf(t, "cpu 1")}), requests: idle, limits: "cpu 50m"},
		"a maximum of the pod after an init container":    {pod: withInit(), set: overrides{placement: Container}, ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listOf(t, "cpu 1")}), requests: idle, limits: "cpu 500m"},
		"CPU of the pod as a whole, and a ratio":          {pod: whole("", "cpu 1"), ranges: ranging(corev1.LimitRangeItem{DefaultRequest: listOf(t, "cpu 1"), MaxLimitRequestRatio: listOf(t, "cpu 2")}), requests: "memory 32Mi"},
		"a minimum of storage":                            {pod: container("", ""), ranges: items("ephemeral-storage 1Gi", "", ""), requests: idle + ", ephemeral-storage 1Gi"},
		"a range of claims has no effect":                 {pod: container("", ""), ranges: ranging(corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Min: listOf(t, "cpu 1")}), requests: idle},
		"two ranges: the larger minimum, smaller maximum": {pod: container("", "cpu 2"), ranges: append(items("cpu 20m", "cpu 300m", ""), items("cpu 30m", "cpu 400m", "")...), requests: "cpu 30m, memory 32Mi", limits: "cpu 300m"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings := need(test.pod, test.set, test.ranges)
			if diff := cmp.Diff(amountsOf(listOf(t, test.requests)), amountsOf(got.Requests)); diff != "" {
				t.Errorf("requests, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(amountsOf(listOf(t, test.limits)), amountsOf(got.Limits)); diff != "" {
				t.Errorf("limits, -want +got:\n%s", diff)
			}
			if said := strings.Join(warnings, "\n"); test.warning == "" && said != "" || !strings.Contains(said, test.warning) {
				t.Errorf("warnings %q, want %q", said, test.warning)
			}
			for _, warning := range warnings {
				if len(warning) > 256 {
					t.Errorf("a warning of %d bytes", len(warning))
				}
			}
		})
	}
}

// TestWhatIsNotSetKeepsWithinEveryLimitRange is of ranges that some container can
// keep within.
func TestWhatIsNotSetKeepsWithinEveryLimitRange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	milli := func(from, to int) string { return fmt.Sprintf("cpu %dm", from+random.IntN(to-from+1)) }
	for range 20_000 {
		item := corev1.LimitRangeItem{}
		low := 1 + random.IntN(2000)
		if random.IntN(2) == 0 {
			item.Min = listOf(t, milli(low, low))
		}
		if random.IntN(2) == 0 {
			item.Max = listOf(t, milli(low, 4000))
		}
		if random.IntN(2) == 0 {
			item.MaxLimitRequestRatio = listOf(t, milli(1000, 20_000))
		}
		limit := low + random.IntN(4000)
		pod := podWith(having(t, milli(1, limit), fmt.Sprintf("cpu %dm", limit)))
		got, _ := need(pod, overrides{}, ranging(item))
		request, most := got.Requests.Cpu().MilliValue(), got.Limits.Cpu().MilliValue()
		if least := item.Min.Cpu().MilliValue(); request < least || most < request {
			t.Fatalf("%+v: a request of %dm and a limit of %dm", item, request, most)
		}
		if limit, bounded := item.Max[corev1.ResourceCPU]; bounded && most > limit.MilliValue() {
			t.Fatalf("%+v: a limit of %dm", item, most)
		}
		if ratio, bounded := item.MaxLimitRequestRatio[corev1.ResourceCPU]; bounded && float64(most)/float64(request)*1000 > float64(ratio.MilliValue()) {
			t.Fatalf("%+v: a limit of %dm, a request of %dm", item, most, request)
		}
	}
}

func TestAQuantityThatTakesLongToParseIsNone(t *testing.T) {
	for _, value := range []string{`"1e-1000000000"`, `"1E+999999999"`, `"` + strings.Repeat("1", 1000) + `"`, `"much"`, `{}`, `[1]`, `null`, `true`} {
		pod, err := readPod([]byte(`{"spec":{"resources":{"limits":{"cpu":` + value + `}},"containers":[{"name":"a","resources":{"limits":{"cpu":` + value + `,"memory":1}}}]}}`))
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		limits := pod.Spec.Containers[0].Resources.Limits
		if _, set := limits[corev1.ResourceCPU]; set || limits.Memory().Value() != 1 || len(pod.Spec.Resources.Limits) > 0 {
			t.Errorf("%s: read as %v", value, limits)
		}
	}
}
