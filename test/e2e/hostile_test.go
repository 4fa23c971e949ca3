//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/mesh"
)

// floodSeconds is how long the webhooks are flooded, each.
const floodSeconds = 60

// reviewURL is where the injector takes reviews.
const reviewURL = "https://osm-injector." + mesh.Namespace + ".svc:9090/mutate-pod-creation"

// intruders are the pods that attack: root, with the capabilities that container
// engines give by default. One is outside of the mesh, one belongs to it.
type intruders struct {
	*trial
	outsider, insider *corev1.Pod
	ca                string // of the webhooks, PEM in base64
}

func TestARootPodGetsNowhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
	tr := startTrial(t, pack(t, imageOf))
	tr.cli = filepath.Join(osm(t), "osm")
	in := intruders{trial: tr}
	ctx, cancel := context.WithTimeout(t.Context(), 2*stepTimeout)
	defer cancel()
	for _, step := range []func(context.Context) error{tr.install, tr.deploy, in.deploy, tr.call} {
		if tr.failure = step(ctx); tr.failure != nil {
			t.Fatal(tr.failure)
		}
	}
	t.Cleanup(attack.Summary)
	for _, try := range []func(*testing.T, string){in.pastTheSidecar, in.intoTheSidecar, in.asAnother, in.floodWebhooks, in.actThroughTheInjector, in.exhaustSDS} {
		try(t, "pod")
	}
}

func (in *intruders) deploy(ctx context.Context) (err error) {
	root := app("attacker", "wait")
	root.Image = imageOf("attacker")
	root.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(0))}
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{root}}}
	if in.outsider, err = in.deployTemplate(ctx, "outside", "attacker", template); err != nil {
		return err
	}
	if in.insider, err = in.deployTemplate(ctx, "bookthief", "attacker", template); err != nil {
		return err
	}
	webhooks, err := in.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		return err
	}
	in.ca = base64.StdEncoding.EncodeToString(webhooks.Webhooks[0].ClientConfig.CABundle)
	return nil
}

// run has the attacker in the pod do something, and returns what it found. An
// error says that it found nothing.
func (in *intruders) run(ctx context.Context, pod *corev1.Pod, args ...string) (string, error) {
	exec := append([]string{"exec", "-n", pod.Namespace, pod.Name, "-c", "attacker", "--", "/attacker"}, args...)
	out, err := in.kubectlCommand(ctx, exec...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// refused tries an attack that finds nothing when it fails.
func (in *intruders) refused(t *testing.T, area, what string, pod *corev1.Pod, args ...string) {
	t.Helper()
	attack.Refused(t, area, what, func(t *testing.T) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		found, err := in.run(ctx, pod, args...)
		if err == nil {
			return "", fmt.Errorf("it was answered %q", found)
		}
		if !strings.HasPrefix(found, "attacker: ") {
			return "", fmt.Errorf("the attacker was not run: %w: %s", err, found)
		}
		line, _, _ := strings.Cut(strings.TrimPrefix(found, "attacker: "), "\n")
		return line, nil
	})
}

// works tries what must go on.
func (in *intruders) works(t *testing.T, area, what string, try func(context.Context) error) {
	t.Helper()
	attack.Works(t, area, what, func(t *testing.T) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		return "as before", try(ctx)
	})
}

// pastTheSidecar has conntrack see something of a connection before it begins.
func (in *intruders) pastTheSidecar(t *testing.T, area string) {
	target := addressOf(in.store, meshPort)
	for _, flags := range []string{"A", "SA", "FA", "R", "PA"} {
		in.refused(t, area, "a segment "+flags+" to the application's port, then a connection", in.outsider, "segment", flags, target)
	}
	in.refused(t, area, "a plain connection to the application's port", in.outsider, "send", target, encode("GET / HTTP/1.0\r\n\r\n"))
	in.works(t, area, "the buyer calls the store", in.call)
	in.works(t, area, "an excluded port answers", func(ctx context.Context) error {
		status, body, err := in.get(ctx, "http://"+addressOf(in.buyer, orderPort)+"/?url=x")
		if err == nil && status == 0 {
			err = errors.New(body)
		}
		return err
	})
}

// intoTheSidecar asks the sidecar's own ports for what listens beside it.
func (in *intruders) intoTheSidecar(t *testing.T, area string) {
	request := encode("GET / HTTP/1.0\r\nHost: x:8082\r\n\r\n")
	for _, port := range []int{inboundPort, 15001, 15000} {
		for who, pod := range map[string]*corev1.Pod{"a pod outside": in.outsider, "a member": in.insider} {
			in.refused(t, area, fmt.Sprintf("%s asks port %d of the store's pod for another port", who, port), pod, "send", addressOf(in.store, port), request)
		}
	}
}

// asAnother forges who calls. An answer that names the attacker is right.
func (in *intruders) asAnother(t *testing.T, area string) {
	const forged = "URI=" + buyerID
	target := addressOf(in.store, meshPort)
	for what, request := range map[string]string{
		"a byte before the request":          "\x01GET / HTTP/1.1\r\nHost: x\r\nx-forwarded-client-cert: " + forged + "\r\nConnection: close\r\n\r\n",
		"zeros before the request":           "\x00\x00\x00GET / HTTP/1.1\r\nHost: x\r\nx-forwarded-client-cert: " + forged + "\r\nConnection: close\r\n\r\n",
		"a line before the request":          "\x16\x03\x01\r\nGET / HTTP/1.1\r\nHost: x\r\nx-forwarded-client-cert: " + forged + "\r\nConnection: close\r\n\r\n",
		"the header in the request":          "GET / HTTP/1.1\r\nHost: x\r\nx-forwarded-client-cert: " + forged + "\r\nConnection: close\r\n\r\n",
		"the header with dots and a tilde":   "GET / HTTP/1.1\r\nHost: x\r\nx.forwarded~client.cert: " + forged + "\r\nConnection: close\r\n\r\n",
		"the header in capitals, twice over": "GET / HTTP/1.1\r\nHost: x\r\nX_FORWARDED_CLIENT_CERT: " + forged + "\r\nX-Forwarded-Client-Cert: " + forged + "\r\nConnection: close\r\n\r\n",
	} {
		attack.Refused(t, area, "a member forges who calls, with "+what, func(t *testing.T) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
			defer cancel()
			found, err := in.run(ctx, in.insider, "send", target, encode(request))
			switch {
			case strings.Contains(found, buyerID):
				return "", fmt.Errorf("the store says %q", found)
			case err == nil && strings.Contains(found, "URI=spiffe://cluster.local/ns/bookthief/sa/attacker"):
				return "it is told who really calls", nil
			case err == nil && strings.Contains(found, " 200 "):
				return "", fmt.Errorf("the store says %q", found)
			case err == nil:
				status, _, _ := strings.Cut(found, "\r\n")
				return status, nil
			case !strings.HasPrefix(found, "attacker: "):
				return "", fmt.Errorf("the attacker was not run: %w: %s", err, found)
			}
			return "the connection ends", nil
		})
	}
}

// floodWebhooks floods all components at once, and has pods join meanwhile.
func (in *intruders) floodWebhooks(t *testing.T, area string) {
	floods := map[string]chan flooded{}
	for component, url := range map[string]string{
		"osm-injector":   reviewURL,
		"osm-controller": "https://osm-validator." + mesh.Namespace + ".svc:9093/validate",
		"osm-bootstrap":  "https://osm-bootstrap." + mesh.Namespace + ".svc:9443/convert",
	} {
		answered := make(chan flooded, 1)
		floods[component] = answered
		go func() {
			found, err := in.run(t.Context(), in.outsider, "flood", url, in.ca, fmt.Sprint(floodSeconds))
			answered <- flooded{found, err}
		}()
	}
	in.works(t, area, "a pod joins the mesh while the webhooks are flooded", in.joins)
	for component, answered := range floods {
		attack.Refused(t, area, component+" is flooded with bodies of millions of objects", func(t *testing.T) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
			defer cancel()
			select {
			case f := <-answered:
				// Each was refused, by a status such as 413 or the end of its connection.
				if f.err != nil || strings.Contains(f.found, "200:") || !strings.Contains(f.found, "[4") {
					return "", fmt.Errorf("answers %q: %v", f.found, f.err)
				}
				return f.found, in.unharmed(ctx, component)
			case <-ctx.Done():
				return "", ctx.Err()
			}
		})
	}
}

// flooded is what an attacker found.
type flooded struct {
	found string
	err   error
}

// joins creates a pod of the mesh, which waits for the injector.
func (in *intruders) joins(ctx context.Context) error {
	return await(ctx, func(ctx context.Context) error {
		pod, err := in.client.CoreV1().Pods("bookthief").Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "joins-", Namespace: "bookthief"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{app("app", "wait")}},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
		return checkInjected(pod)
	})
}

// unharmed reports whether no container of the component was ended.
func (in *intruders) unharmed(ctx context.Context, component string) error {
	pods, err := in.client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"app": component}.String()})
	if err != nil {
		return err
	}
	if len(pods.Items) == 0 {
		return fmt.Errorf("there is no pod of %s", component)
	}
	for _, pod := range pods.Items {
		for _, s := range pod.Status.ContainerStatuses {
			if s.RestartCount > 0 {
				return fmt.Errorf("%s was restarted %d times: %+v", component, s.RestartCount, s.LastTerminationState.Terminated)
			}
		}
	}
	return nil
}

// actThroughTheInjector has it refuse pods that are said to be a Deployment's.
func (in *intruders) actThroughTheInjector(t *testing.T, area string) {
	attack.Refused(t, area, "anonymous reviews write Events about another's Deployment", func(t *testing.T) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		found, err := in.run(ctx, in.outsider, "review", reviewURL, in.ca, "40")
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, found)
		}
		// An Event of the injector's own comes after those of before.
		template := corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{prefix + "sidecar-injection": "neither"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{app("marker", "wait")}},
		}
		if err := mesh.Create(ctx, in.client, "bookthief", "marker", template); err != nil {
			return "", err
		}
		events := func(ctx context.Context, namespace, about string) ([]corev1.Event, error) {
			list, err := in.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, err
			}
			var found []corev1.Event
			for _, e := range list.Items {
				if strings.HasPrefix(e.InvolvedObject.Name, about) && (e.Source.Component == "osm-injector" || e.ReportingController == "osm-injector") {
					found = append(found, e)
				}
			}
			return found, nil
		}
		err = await(ctx, func(ctx context.Context) error {
			own, err := events(ctx, "bookthief", "marker")
			if err == nil && len(own) == 0 {
				err = errors.New("no Event about a Deployment that really makes pods which are refused")
			}
			return err
		})
		if err != nil {
			return "", err
		}
		forged, err := events(ctx, "bookstore", "bookstore-v2")
		if err == nil && len(forged) > 0 {
			err = fmt.Errorf("%d Events, the first: %s", len(forged), forged[0].Message)
		}
		return "40 reviews, no Event about it", err
	})
}

// exhaustSDS opens connections that say nothing, more than are allowed.
func (in *intruders) exhaustSDS(t *testing.T, area string) {
	attack.Refused(t, area, "a pod opens 2000 connections to SDS and says nothing", func(t *testing.T) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		held := make(chan string, 1)
		go func() {
			found, err := in.run(ctx, in.outsider, "hold", "2000", "osm-controller."+mesh.Namespace+".svc:15128", "45")
			held <- fmt.Sprint(found, err)
		}()
		// A new sidecar is certified meanwhile.
		if _, err := in.deployOne(ctx, "bookthief", "late", nil); err != nil {
			return "", fmt.Errorf("while connections were held: %w", err)
		}
		found := <-held
		var connected, left int
		if _, err := fmt.Sscanf(found, "%d connected, %d held", &connected, &left); err != nil {
			return "", fmt.Errorf("%w: %s", err, found)
		}
		if left > 0 {
			return "", fmt.Errorf("%d of %d connections without a handshake were open after 45 s", left, connected)
		}
		return "none is open after 45 s, and a new sidecar is certified meanwhile", in.unharmed(ctx, "osm-controller")
	})
	in.works(t, area, "the buyer calls the store after all that", in.call)
	in.works(t, area, "a sidecar's metrics answer after all that", func(ctx context.Context) error {
		status, _, err := in.get(ctx, "http://"+addressOf(in.store, 15010)+"/stats/prometheus")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

func encode(content string) string { return base64.StdEncoding.EncodeToString([]byte(content)) }
