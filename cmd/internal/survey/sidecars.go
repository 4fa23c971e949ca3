package survey

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/osm-edge/osm/cmd/internal/check"
)

const (
	// metricsPort and metricsPath are where a sidecar serves its metrics.
	metricsPort = "15010"
	metricsPath = "stats/prometheus"
	// undeclaredHTTP is the metric of a sidecar that counts by port what was HTTP
	// and came to a port that is not declared so.
	undeclaredHTTP = "osm_sidecar_undeclared_http_total"

	// askedSidecars is how many are asked: one of each workload, for its pods are
	// alike, and no more than there is time for.
	askedSidecars = 256
	sidecarsTime  = 5 * time.Second
	sidecarTime   = time.Second
	// maxMetricsBytes is many times what the metrics of a sidecar need.
	maxMetricsBytes = 256 << 10
	// maxSeen is how many ports of a pod are told: what it writes may be wrong.
	maxSeen = 16
)

// sidecars asks one of each workload where it has seen HTTP that is not declared.
// What does not answer in time is left out: the answers are not needed.
func (s *Survey) sidecars(ctx context.Context, pods []check.Pod) {
	ctx, cancel := context.WithTimeout(ctx, sidecarsTime)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, i := range oneOfEach(pods) {
		group.Go(func() error {
			pods[i].Ports = seen(pods[i].Ports, s.undeclared(ctx, pods[i].Namespace, pods[i].Name))
			return nil
		})
	}
	_ = group.Wait() // none fails
}

// oneOfEach are the positions of pods to ask.
func oneOfEach(pods []check.Pod) (chosen []int) {
	asked := map[[2]string]bool{}
	for i, pod := range pods {
		of := [2]string{pod.Namespace, pod.Workload}
		if !pod.Intercepted || pod.NotReady != "" || pod.Workload != "" && asked[of] {
			continue
		}
		if asked[of] = true; len(chosen) < askedSidecars {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// undeclared returns the ports that a sidecar has seen such HTTP on, in order.
func (s *Survey) undeclared(ctx context.Context, namespace, pod string) []uint16 {
	ctx, cancel := context.WithTimeout(ctx, sidecarTime)
	defer cancel()
	body, err := s.Kube.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods").Name(pod + ":" + metricsPort).
		SubResource("proxy").Suffix(metricsPath).MaxRetries(0).Stream(ctx)
	if err != nil {
		return nil
	}
	defer body.Close()
	return portsInMetrics(io.LimitReader(body, maxMetricsBytes))
}

// portsInMetrics reads what a pod wrote, which may be anything.
func portsInMetrics(text io.Reader) (ports []uint16) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil
	}
	for _, metric := range families[undeclaredHTTP].GetMetric() {
		for _, label := range metric.GetLabel() {
			port, err := strconv.ParseUint(label.GetValue(), 10, 16)
			if label.GetName() == "port" && err == nil && port > 0 && metric.GetCounter().GetValue()+metric.GetUntyped().GetValue() > 0 {
				ports = append(ports, uint16(port))
			}
		}
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	return ports[:min(len(ports), maxSeen)]
}

// seen adds to what is known of ports. A port that was declared since is known
// to be.
func seen(known []check.Port, ports []uint16) []check.Port {
	for _, number := range ports {
		i := slices.IndexFunc(known, func(p check.Port) bool { return p.Number == number })
		if i < 0 {
			i, known = len(known), append(known, check.Port{Number: number})
		}
		known[i].HTTP = append(known[i].HTTP, "its sidecar has carried HTTP to it")
	}
	return known
}
