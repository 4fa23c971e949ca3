//go:build e2e

package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

func reachService(t *testing.T, n *Node, client kubernetes.Interface) {
	deploy(t, client, "web", 2)
	address := expose(t, client, "web").Spec.ClusterIP
	t.Run("from a pod", func(t *testing.T) {
		urls := []string{"http://" + address, "http://web", "http://web.default.svc.cluster.local"}
		_, lines := runPod(t, client, "visitor", corev1.PodSpec{Containers: []corev1.Container{app("visitor", append([]string{"get"}, urls...)...)}})
		for i, line := range lines {
			if !strings.HasPrefix(line, "web-") {
				t.Errorf("%s: got %q, want the name of a pod of web", urls[i], line)
			}
		}
	})
	t.Run("from outside", func(t *testing.T) {
		outside := http.Client{Transport: &http.Transport{DialContext: n.Dial}}
		for _, url := range []string{"http://" + address, "http://web.default.svc", "http://web.default.svc.cluster.local"} {
			if body, err := get(t, &outside, url); err != nil || !strings.HasPrefix(body, "web-") {
				t.Errorf("%s: got %q and %v, want the name of a pod of web", url, body, err)
			}
		}
	})
}

// deploy returns when all replicas of a Deployment that serves are available.
func deploy(t *testing.T, client kubernetes.Interface, name string, replicas int32) {
	t.Helper()
	labels := map[string]string{"app": name}
	deployments := client.AppsV1().Deployments(metav1.NamespaceDefault)
	_, err := deployments.Create(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{probed(name, "serve")}},
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := await(t.Context(), "available replicas", nil, func(ctx context.Context) error {
		d, err := deployments.Get(ctx, name, metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != replicas {
			err = fmt.Errorf("there are %d", d.Status.AvailableReplicas)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func expose(t *testing.T, client kubernetes.Interface, name string) *corev1.Service {
	t.Helper()
	service, err := client.CoreV1().Services(metav1.NamespaceDefault).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), errors.Join(err, response.Body.Close())
}

func reachAPIServer(t *testing.T, _ *Node, client kubernetes.Interface) {
	c := app("caller", "get", "https://kubernetes.default.svc/version")
	c.Env = []corev1.EnvVar{{Name: "SSL_CERT_FILE", Value: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"}}
	_, lines := runPod(t, client, "caller", corev1.PodSpec{Containers: []corev1.Container{c}})
	if version := strings.Join(lines, "\n"); !strings.Contains(version, "gitVersion") {
		t.Errorf("got %q, want the API server's version", version)
	}
}

func readVolume(t *testing.T, _ *Node, client kubernetes.Interface) {
	createConfigMap(t, client, "settings", "configured")
	pod, lines := runPod(t, client, "reader", volumePod(
		app("reader", "cat", "/v/token", "/v/key", "/v/labels"),
		corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "osm-sds", ExpirationSeconds: new(int64(3600)), Path: "token"}},
		fromConfigMap("settings"),
		corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
		}}},
	))
	if want := []string{"configured", `app="reader"`}; len(lines) != 3 || !slices.Equal(lines[1:], want) {
		t.Fatalf("got %q, want a token and %q", lines, want)
	}
	var claims struct {
		Audience   []string `json:"aud"`
		Kubernetes struct {
			Pod struct{ UID string }
		} `json:"kubernetes.io"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(lines[0], ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Kubernetes.Pod.UID != string(pod.UID) || !slices.Equal(claims.Audience, []string{"osm-sds"}) {
		t.Errorf("the token's claims are %s, want the audience osm-sds and the pod's uid %s", payload, pod.UID)
	}
}

func followConfigMap(t *testing.T, _ *Node, client kubernetes.Interface) {
	config := createConfigMap(t, client, "changing", "old")
	createPod(t, client, "follower", volumePod(app("follower", "await", "/v/key", "new"), fromConfigMap("changing")))
	awaitPhase(t, client, "follower", corev1.PodRunning)
	config.Data["key"] = "new"
	if _, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Update(t.Context(), config, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitPhase(t, client, "follower", corev1.PodSucceeded)
}

func createConfigMap(t *testing.T, client kubernetes.Interface, name, value string) *corev1.ConfigMap {
	t.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"key": value}}
	config, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), config, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func fromConfigMap(name string) corev1.VolumeProjection {
	return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

// volumePod has the container with the projected volume at /v.
func volumePod(c corev1.Container, sources ...corev1.VolumeProjection) corev1.PodSpec {
	c.VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
	volume := corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}
	return corev1.PodSpec{Containers: []corev1.Container{c}, Volumes: []corev1.Volume{{Name: "v", VolumeSource: volume}}}
}

func runSidecar(t *testing.T, _ *Node, client kubernetes.Interface) {
	sidecar := app("sidecar", "serve")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	sidecar.StartupProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: onPort8080()}
	_, lines := runPod(t, client, "accompanied", corev1.PodSpec{
		InitContainers: []corev1.Container{sidecar},
		Containers:     []corev1.Container{app("main", "get", "http://127.0.0.1:8080")},
	})
	if !slices.Equal(lines, []string{"accompanied"}) {
		t.Errorf("the sidecar answered %q, want the pod's name", lines)
	}
}
