package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
)

// chapter is one step of the story: it does something and prints what it read
// back.
type chapter struct {
	title string
	tell  func(context.Context) error
}

// narrator is what the chapters share.
type narrator struct {
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	objects   dynamic.Interface
	authority authority
	logger    *slog.Logger

	root         *x509.Certificate // that signs
	buyer, store *player
}

func newNarrator(c *cluster.Cluster, signer string) (*narrator, error) {
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		return nil, err
	}
	n := &narrator{cluster: c, client: client, objects: objects, logger: slog.New(slog.DiscardHandler)}
	n.authority = n.newAuthority(signer)
	return n, nil
}

func (n *narrator) tell(ctx context.Context, started time.Time) error {
	version, err := n.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	proof("Kubernetes %s answers after %.1f s", version.GitVersion, time.Since(started).Seconds())
	for i, chapter := range append(n.authority.preface, []chapter{
		{"The chart is applied, and the three components run", n.install},
		{n.authority.titles.root, n.showRoot},
		{n.authority.titles.serving, n.showServing},
		{"Pods of labelled namespaces get a sidecar", n.join},
		{"Each sidecar gets the certificate of its service account over SDS", n.certify},
		{"The two shake hands, and each checks who the other is", n.shakeHands},
		{"No service account gets the certificate of another", n.refuse},
		{"The root is replaced", n.rotate},
		{n.authority.titles.keys, n.showKeys},
	}...) {
		fmt.Printf("\n%d. %s\n", i+1, chapter.title)
		if err := chapter.tell(ctx); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, chapter.title, err)
		}
	}
	return nil
}

func proof(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

func (n *narrator) install(ctx context.Context) error {
	values, err := n.authority.values()
	if err != nil {
		return err
	}
	if err := mesh.Install(ctx, n.cluster.Config(), values); err != nil {
		return err
	}
	return n.showPods(ctx)
}

func (n *narrator) showPods(ctx context.Context) error {
	pods, err := n.client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		proof("pod %-32s %s, as %s", pod.Name, pod.Status.Phase, pod.Spec.ServiceAccountName)
	}
	return nil
}

// join lets two namespaces join the mesh, with a Deployment in each.
func (n *narrator) join(ctx context.Context) error {
	for _, workload := range []struct{ namespace, name string }{{"bookbuyer", "bookbuyer"}, {"bookstore", "bookstore-v2"}} {
		if err := mesh.Join(ctx, n.client, workload.namespace); err != nil {
			return err
		}
		pod, err := mesh.Deploy(ctx, n.client, workload.namespace, workload.name, corev1.Container{Image: "example/" + workload.name + ":1"})
		if err != nil {
			return err
		}
		if err := n.showInjected(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// showInjected prints what the pod has that its Deployment's template has not.
func (n *narrator) showInjected(ctx context.Context, pod *corev1.Pod) error {
	d, err := n.client.AppsV1().Deployments(pod.Namespace).Get(ctx, pod.Labels["app"], metav1.GetOptions{})
	if err != nil {
		return err
	}
	template := d.Spec.Template
	proof("pod %s/%s", pod.Namespace, pod.Name)
	added := 0
	own := map[string]bool{}
	for _, c := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		own[c.Name] = true
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if !own[c.Name] {
			proof("  + container %s, image %s, uid %d", c.Name, c.Image, *c.SecurityContext.RunAsUser)
			added++
		}
	}
	for _, v := range pod.Spec.Volumes {
		if strings.HasPrefix(v.Name, "osm-") {
			proof("  + volume    %s: %s", v.Name, sources(v))
			added++
		}
	}
	proof("  + label     %s=%s", injector.ProxyLabel, pod.Labels[injector.ProxyLabel])
	proof("  + annotation %s (%d bytes)", injector.BootstrapAnnotation, len(pod.Annotations[injector.BootstrapAnnotation]))
	if added < 2 || pod.Labels[injector.ProxyLabel] == "" {
		return fmt.Errorf("pod %s/%s was not injected", pod.Namespace, pod.Name)
	}
	return nil
}

func sources(v corev1.Volume) string {
	var found []string
	for _, s := range v.Projected.Sources {
		switch {
		case s.ServiceAccountToken != nil:
			found = append(found, fmt.Sprintf("token for %s, %d s", s.ServiceAccountToken.Audience, *s.ServiceAccountToken.ExpirationSeconds))
		case s.ConfigMap != nil:
			found = append(found, "configmap "+s.ConfigMap.Name)
		case s.DownwardAPI != nil:
			found = append(found, "bootstrap config")
		}
	}
	return strings.Join(found, ", ")
}

// showLogs prints the end of each component's log.
func showLogs(c *cluster.Cluster) {
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return
	}
	pods, err := client.CoreV1().Pods(mesh.Namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, pod := range pods.Items {
		log, err := os.ReadFile(c.PodLog(pod.Namespace, pod.Name))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		fmt.Printf("\n--- the end of the log of %s\n%s\n", pod.Name, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}
