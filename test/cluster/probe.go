package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// eagerPeriod is that of readiness probes until the first success: no test should wait for its pod.
const eagerPeriod = 100 * time.Millisecond

// probe keeps the container's readiness until ctx ends. Without a probe it is ready as soon as it runs.
func (c *container) probe(ctx context.Context) {
	probe := c.spec.ReadinessProbe
	if probe == nil {
		c.ready(true)
		return
	}
	client := &http.Client{
		Timeout:       time.Duration(probe.TimeoutSeconds) * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	period, failures := eagerPeriod, int32(0)
	for wait(ctx, period) {
		if c.answers(ctx, client) {
			period, failures = time.Duration(probe.PeriodSeconds)*time.Second, 0
			c.ready(true)
		} else if failures++; failures >= probe.FailureThreshold {
			c.ready(false)
		}
	}
}

// answers says whether the probe's request is answered with a status that the kubelet takes for success.
func (c *container) answers(ctx context.Context, client *http.Client) bool {
	target, err := probeURL(c.spec, loopback(c.pod.address).String())
	if err != nil {
		return false // command has refused it, and the container doesn't run
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	for _, header := range c.spec.ReadinessProbe.HTTPGet.HTTPHeaders {
		request.Header.Add(header.Name, header.Value)
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode >= 200 && response.StatusCode < 400
}

// probeURL is where the container's readiness probe, if it has one, asks. HTTPS is refused: a kubelet would not verify it.
func probeURL(container *corev1.Container, address string) (string, error) {
	probe := container.ReadinessProbe
	if probe == nil {
		return "", nil
	}
	get := probe.HTTPGet
	if get == nil || get.Scheme != corev1.URISchemeHTTP {
		return "", fmt.Errorf("container %s: readinessProbe: only httpGet with scheme HTTP is supported for images that run as processes", container.Name)
	}
	port, err := containerPort(container, get.Port)
	if err != nil {
		return "", err
	}
	target, err := url.Parse(get.Path)
	if err != nil {
		return "", fmt.Errorf("container %s: readinessProbe.httpGet.path: %w", container.Name, err)
	}
	target.Scheme, target.Host = "http", net.JoinHostPort(address, strconv.Itoa(port))
	return target.String(), nil
}

// containerPort is the number of a port that is given by number or by the name that the container's ports have for it.
func containerPort(container *corev1.Container, port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, p := range container.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	return 0, fmt.Errorf("container %s: readinessProbe.httpGet.port: no port is named %q", container.Name, port.StrVal)
}
