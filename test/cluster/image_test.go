package cluster_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/osm-edge/osm/test/testkit"
)

// app are the labels of every pod here, by which the Service of expose finds them.
var app = map[string]string{"app": "server"}

// program is a container that runs the program as a process.
func program(name string, args ...string) corev1.Container {
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	return corev1.Container{
		Name: "program", Image: "localhost/program:v1", Command: []string{"/ignored"}, Args: args,
		Env: []corev1.EnvVar{
			{Name: programVariable, Value: name},
			{Name: "POD", ValueFrom: field("metadata.name")},
			{Name: "NAMESPACE", ValueFrom: field("metadata.namespace")},
			{Name: "EXPANDED", Value: "$(NAMESPACE) $$(NAMESPACE) $(UNKNOWN)"},
		},
	}
}

func server() corev1.Container { return probed("server") }

// probed is a program that serves, with the probe that it answers.
func probed(name string) corev1.Container {
	c := program(name)
	c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("http")},
	}}
	return c
}

// ask is the account that answers at the address of the cluster.
func (s space) ask(ctx context.Context, address string) (account, error) {
	client := http.Client{Transport: &http.Transport{DialContext: s.cluster.Dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	if err != nil {
		return account{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return account{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return account{}, err
	}
	var a account
	return a, json.Unmarshal(body, &a)
}

// accounts are those of all pods of the Service, which are so many.
func (s space) accounts(t *testing.T, count int) map[string]account {
	t.Helper()
	found := map[string]account{}
	testkit.Await(t, "every pod of the Service", func() error {
		a, err := s.ask(t.Context(), net.JoinHostPort("server."+s.namespace+".svc", "80"))
		if err != nil {
			return err
		}
		found[a.Pod] = a
		return unless(len(found) == count, "%d pods have answered", len(found))
	})
	return found
}
