//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// storeURL is all that the buyer knows of the store.
const storeURL = "http://bookstore-v2.bookstore:8080/"

// ask has the application of a pod call a URL, claiming an identity.
func (tr *trial) ask(ctx context.Context, pod *corev1.Pod, target, claim string) (status int, body string, err error) {
	query := url.Values{"url": {target}, "claim": {claim}}
	return tr.get(ctx, "http://"+addressOf(pod, orderPort)+"/?"+query.Encode())
}

// want has the application of a pod call a URL, and be told who it is, whatever
// it claims to be.
func (tr *trial) want(ctx context.Context, pod *corev1.Pod, target, claim, caller string) error {
	status, body, err := tr.ask(ctx, pod, target, claim)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("%s tells %s: %d %q, not %q", target, pod.Name, status, body, caller)
	case body != caller:
		return wrongAnswer{fmt.Errorf("%s takes %s, which claims to be %q, for %q, not %q", target, pod.Name, claim, body, caller)}
	}
	return nil
}

// wantNone has the application of a pod call a URL, and get no answer of the
// application there.
func (tr *trial) wantNone(ctx context.Context, pod *corev1.Pod, target string) error {
	status, body, err := tr.ask(ctx, pod, target, "")
	if err == nil && status == http.StatusOK {
		err = fmt.Errorf("%s tells %s: %q, and was not to be reached", target, pod.Name, body)
	}
	return err
}

// call has the buyer call the store by its Service's name, with the identity it
// claims. Both sidecars count a connection.
func (tr *trial) call(ctx context.Context) error {
	if err := tr.awaitAnswer(ctx, ""); err != nil {
		return err
	}
	out, in, err := tr.connections(ctx)
	if err != nil {
		return err
	}
	if err := tr.awaitAnswer(ctx, "URI=spiffe://cluster.local/ns/bank/sa/teller"); err != nil {
		return err
	}
	nowOut, nowIn, err := tr.connections(ctx)
	if err == nil && (nowOut <= out || nowIn <= in) {
		err = fmt.Errorf("the buyer's sidecar made %v and then %v connections, the store's took %v and then %v", out, nowOut, in, nowIn)
	}
	return err
}

// awaitAnswer repeats a call that fails: for a moment after a rollout, a Service
// still leads to the pod that is gone, as it does without a mesh.
func (tr *trial) awaitAnswer(ctx context.Context, claim string) error {
	return await(ctx, func(ctx context.Context) error {
		return tr.want(ctx, tr.buyer, storeURL, claim, "URI="+buyerID)
	})
}

// refuseThief has two pods ask for what the store sells to one of them alone.
func (tr *trial) refuseThief(ctx context.Context) error {
	const books = storeURL + "books"
	if err := tr.want(ctx, tr.buyer, books, "", "URI="+buyerID); err != nil {
		return err
	}
	status, body, err := tr.ask(ctx, tr.thief, books, "URI="+buyerID)
	if err == nil && (status != http.StatusForbidden || body != "URI="+thiefID) {
		err = wrongAnswer{fmt.Errorf("the store answers %d to the thief, and takes it for %q", status, body)}
	}
	return err
}

// flood has the buyer call the store without pause while something is done.
func (tr *trial) flood(ctx context.Context, act func(context.Context) error) error {
	orders := "http://" + addressOf(tr.buyer, orderPort)
	query := url.Values{"url": {storeURL}, "want": {"URI=" + buyerID}}
	if _, _, err := tr.get(ctx, orders+"/begin?"+query.Encode()); err != nil {
		return err
	}
	err := act(ctx)
	_, told, err2 := tr.get(ctx, orders+"/finish")
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("%w; meanwhile %s", err, told)
	}
	var calls, failures int
	if _, err := fmt.Sscanf(told, "calls=%d failures=%d", &calls, &failures); err != nil {
		return fmt.Errorf("the buyer tells of its calls: %q", told)
	}
	if calls == 0 || failures > 0 {
		return fmt.Errorf("the buyer's calls: %s", told)
	}
	return nil
}

// connections returns how many the sidecars of the buyer made, and of the store took.
func (tr *trial) connections(ctx context.Context) (out, in float64, err error) {
	out, err = tr.metric(ctx, metricsOf(tr.buyer), `osm_sidecar_connections_total{direction="outbound"}`)
	in, err2 := tr.metric(ctx, metricsOf(tr.store), `osm_sidecar_connections_total{direction="inbound"}`)
	return out, in, errors.Join(err, err2)
}

func metricsOf(pod *corev1.Pod) string {
	return "http://" + addressOf(pod, 15010) + "/stats/prometheus"
}

func addressOf(pod *corev1.Pod, port int) string {
	return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port))
}

// checkExclusions has the buyer call a pod that is not of the mesh: that takes a
// port or a range that it excludes. Its own excluded port is what ask calls.
func (tr *trial) checkExclusions(ctx context.Context) error {
	return errors.Join(
		tr.want(ctx, tr.buyer, "http://outside.outside:8082/", "", "none"),
		tr.want(ctx, tr.buyer, "http://excluded.outside:8080/", "", "none"),
		tr.wantNone(ctx, tr.buyer, "http://outside.outside:8080/"),
		tr.wantNone(ctx, tr.buyer, "http://"+addressOf(tr.outside, meshPort)+"/"))
}

func (tr *trial) checkMetrics(ctx context.Context) error {
	for key, want := range map[string]string{"scrape": "true", "port": "15010", "path": "/stats/prometheus"} {
		if got := tr.store.Annotations["prometheus.io/"+key]; got != want {
			return fmt.Errorf("pod %s says prometheus.io/%s %q, want %q", tr.store.Name, key, got, want)
		}
		if got, ok := tr.buyer.Annotations["prometheus.io/"+key]; ok {
			return fmt.Errorf("pod %s says prometheus.io/%s %q, and its namespace has not enabled metrics", tr.buyer.Name, key, got)
		}
	}
	_, err := tr.metric(ctx, metricsOf(tr.store), "osm_sidecar_certificate_expiry_timestamp_seconds")
	return err
}
