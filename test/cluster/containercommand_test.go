package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReferencesToVariablesAreExpandedAsKubernetesDoes(t *testing.T) {
	variables := map[string]string{"NAME": "value", "with.dots": "dotted", "EMPTY": ""}
	for in, want := range map[string]string{
		"--name=$(NAME)":       "--name=value",
		"$(NAME)$(NAME)":       "valuevalue",
		"$(with.dots)$(EMPTY)": "dotted",
		"$(UNKNOWN)":           "$(UNKNOWN)",
		"$$(NAME)":             "$(NAME)",
		"$$$(NAME)":            "$value",
		"$NAME ${NAME} $":      "$NAME ${NAME} $",
		"$(NAME":               "$(NAME",
		"$()":                  "$()",
	} {
		if got := expand(in, variables); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAnImageIsKnownByItsNameWithoutTagAndDigest(t *testing.T) {
	for in, want := range map[string]string{
		"name":                          "name",
		"name:v1":                       "name",
		"registry:5000/path/name":       "registry:5000/path/name",
		"registry:5000/path/name:v1":    "registry:5000/path/name",
		"registry:5000/name@sha256:0af": "registry:5000/name",
		"name:v1@sha256:0af":            "name",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAnEnvironmentThatCantBeGivenIsRefused(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}}
	for want, container := range map[string]corev1.Container{
		"envFrom is not supported": {EnvFrom: []corev1.EnvFromSource{{}}},
		"env LIMIT: valueFrom": {Env: []corev1.EnvVar{{Name: "LIMIT", ValueFrom: &corev1.EnvVarSource{
			ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"},
		}}}},
		"env NODE: valueFrom": {Env: []corev1.EnvVar{{Name: "NODE", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"},
		}}}},
	} {
		if got, err := environment(pod, &container, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v and %v, want an error that says %q", got, err, want)
		}
	}
}
