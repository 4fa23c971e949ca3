package main

import (
	"flag"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/render"
)

var update = flag.Bool("update", false, "write the name of the scripts' ConfigMap into the chart")

// RBAC has names, and no patterns of them, so the chart has the hash.
func TestTheChartLetsItPublishTheScriptsThatItHas(t *testing.T) {
	if *update {
		mustNameScripts(t, "../../manifests/chart/templates/osm-controller.yaml")
		return // the chart is embedded as it was
	}
	rights := rightsToConfigMaps(t)
	want := map[string][]string{
		"create": nil, // RBAC cannot tell what is created by its name
		"get":    {rotation.ConfigMapName, pipy.ConfigMapName()},
		"list":   {rotation.ConfigMapName, pipy.ConfigMapName()},
		"watch":  {rotation.ConfigMapName, pipy.ConfigMapName()},
		"update": {rotation.ConfigMapName, pipy.ConfigMapName()},
		"delete": {rotation.ConfigMapName, pipy.ConfigMapName()}, // what a tenant has made immutable
	}
	for verb, names := range want {
		if got, ok := rights[verb]; !ok || !slices.Equal(got, names) {
			t.Errorf("it may %s configmaps %q, want %q; if the scripts have changed, run make generate", verb, got, names)
		}
	}
	if len(rights) != len(want) {
		t.Errorf("it may %v", rights)
	}
}

func mustNameScripts(t *testing.T, template string) {
	t.Helper()
	content, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`osm-sidecar-[0-9a-f]{12}`)
	if !name.Match(content) {
		t.Fatalf("%s names no ConfigMap of scripts", template)
	}
	if err := os.WriteFile(template, name.ReplaceAll(content, []byte(pipy.ConfigMapName())), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rightsToConfigMaps returns names by verb, in every namespace.
func rightsToConfigMaps(t *testing.T) map[string][]string {
	t.Helper()
	objects, err := render.Chart(render.Options{Namespace: "osm-system"})
	if err != nil {
		t.Fatal(err)
	}
	rights := map[string][]string{}
	for _, object := range objects {
		if object.GetKind() != "ClusterRole" || object.GetName() != "osm-controller-osm" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "configmaps") {
				for _, verb := range rule.Verbs {
					rights[verb] = append(rights[verb], rule.ResourceNames...)
				}
			}
		}
	}
	return rights
}

func TestSidecarsFindTheirScriptsBeforeThereAreRoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		joined := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookstore", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}}
		client := fake.NewClientset(joined)
		c := &controller{}
		o := &options{Options: component.Options{MeshName: "osm", Namespace: "osm-system"}}
		if err := c.addPublishers(o, client, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		c.caches.start(t.Context())
		group, ctx := errgroup.WithContext(t.Context())
		group.Go(func() error { return c.publish(ctx, c.bundles) })
		group.Go(func() error { return c.publish(ctx, c.scripts) })
		t.Cleanup(func() {
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
			c.caches.wait()
		})
		<-time.After(time.Second) // it looks every 100 ms whether caches are filled
		synctest.Wait()

		list, err := client.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 {
			t.Fatalf("%d configmaps", len(list.Items))
		}
		cm := list.Items[0]
		if cm.Name != pipy.ConfigMapName() || cm.Data["main.js"] != pipy.Scripts()["main.js"] || cm.Immutable == nil || !*cm.Immutable {
			t.Errorf("configmap %s is immutable: %v", cm.Name, cm.Immutable)
		}
	})
}
