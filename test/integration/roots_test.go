package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

const firstRoot = "osm-mesh-root-certificate"

// rootObjects is the client of the MeshRootCertificates.
type rootObjects struct{ dynamic.ResourceInterface }

func newRootObjects(t *testing.T, c *cluster.Cluster) rootObjects {
	t.Helper()
	client, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return rootObjects{objects(client, "v1", "MeshRootCertificate")}
}

func TestAMeshFollowsItsRootCertificates(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	roots := newRootObjects(t, c)
	roots.await(t, firstRoot, "True Reached", "True Signing")

	proxy, _ := runProxy(t, c, client, deploy(t, client, "bookbuyer", "bookbuyer"))
	store := rootsecret.Store{Secrets: client.CoreV1().Secrets(mesh.Namespace), Name: "second"}
	second, err := store.Ensure(t.Context(), func() (rootsecret.Root, error) {
		certificate, key, err := tresor.NewRoot()
		return rootsecret.Root{Certificate: certificate, Key: key}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("what is ignored in a Secret is in an Event", func(t *testing.T) {
		secret := getSecret(t, client, rootSecret)
		secret.Data[rootsecret.CertificateKey] = slices.Concat([]byte("\ufeff# the root of 2026\r\n"), secret.Data[rootsecret.CertificateKey], secret.Data[rootsecret.CertificateKey])
		secret.Data[rootsecret.ExpirationKey] = append(secret.Data[rootsecret.ExpirationKey], '\n')
		if _, err := client.CoreV1().Secrets(mesh.Namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		testkit.Condition(t, "an Event names it", func(ctx context.Context) (bool, error) {
			events, err := client.EventsV1().Events(mesh.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=TextIgnored"})
			if err != nil {
				return false, err
			}
			return slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool {
				return e.Regarding.Name == firstRoot && e.Type == corev1.EventTypeNormal &&
					strings.Contains(e.Note, `secret osm-system/osm-ca-bundle, key "ca.crt": a byte order mark, 1 line of text outside of PEM blocks, 1 repeated block`)
			}), nil
		})
		roots.await(t, firstRoot, "True Reached", "True Signing")
	})
	t.Run("the one that signs cannot be deleted", func(t *testing.T) {
		err := roots.Delete(t.Context(), firstRoot, metav1.DeleteOptions{})
		wantRefusal(t, err, "make another MeshRootCertificate Active first")
	})
	t.Run("another that is Active takes over", func(t *testing.T) {
		roots.create(t, "second", v1.Passive)
		roots.await(t, "second", "True Reached", "True Trusted")
		roots.setRole(t, "second", v1.Active)
		roots.await(t, "second", "True Reached", "True Signing")
		roots.await(t, firstRoot, "True Reached", "True Superseded")
		_, err := proxy.Wait(testkit.Context(t, 30*time.Second), func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(second.Certificate) == nil })
		if err != nil {
			t.Errorf("the certificate is not of the second root: %v", err)
		}
	})
	t.Run("the one before is needed while its certificates live", func(t *testing.T) {
		roots.setRole(t, firstRoot, v1.Passive)
		err := roots.Delete(t.Context(), firstRoot, metav1.DeleteOptions{})
		wantRefusal(t, err, "there are certificates that were signed with this root")
	})
	t.Run("a record that is malformed is written anew", func(t *testing.T) {
		record := rotation.Record{ConfigMaps: client.CoreV1().ConfigMaps(mesh.Namespace)}
		before, err := record.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		patch := fmt.Appendf(nil, `{"data":{%q:%q}}`, rotation.BundleKey, strings.Repeat("garbage", 1<<17))
		_, err = record.ConfigMaps.Patch(t.Context(), rotation.ConfigMapName, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		testkit.Condition(t, "the record is as it was", func(ctx context.Context) (bool, error) {
			after, err := record.Read(ctx)
			if errors.Is(err, rotation.ErrMalformed) {
				return false, nil
			}
			return err == nil && after.Bundle().Equal(before.Bundle()) && after.Signing().Equal(before.Signing()), err
		})
	})
	t.Run("one that is revoked is trusted by no one within seconds", func(t *testing.T) {
		roots.setRole(t, firstRoot, v1.Revoked)
		only := trustbundle.New(second.Certificate)
		if _, err := proxy.Wait(testkit.Context(t, 30*time.Second), func(s sidecar.State) bool { return s.Ready() && s.Bundle().Equal(only) }); err != nil {
			t.Errorf("the proxy trusts others than the second root: %v", err)
		}
		roots.await(t, firstRoot, "Unknown Revoked", "False Revoked")
	})
}

func wantRefusal(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want %q", err, words)
	}
}

// create makes one of the built-in authority, whose Secret has its name.
func (r rootObjects) create(t *testing.T, name string, role v1.Role) {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1.GroupVersion.String(), "kind": "MeshRootCertificate", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"role": string(role), "provider": map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": name}}}},
	}}
	if _, err := r.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (r rootObjects) setRole(t *testing.T, name string, role v1.Role) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"role":%q}}`, role)
	if _, err := r.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// await awaits these of Ready and InUse, as "Status Reason".
func (r rootObjects) await(t *testing.T, name, ready, inUse string) {
	t.Helper()
	testkit.Condition(t, name+" says what it is", func(ctx context.Context) (bool, error) {
		object, err := r.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		root := &v1.MeshRootCertificate{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, root); err != nil {
			return false, err
		}
		says := func(kind string) string {
			c := meta.FindStatusCondition(root.Status.Conditions, kind)
			if c == nil {
				return ""
			}
			return string(c.Status) + " " + c.Reason
		}
		return says(v1.ConditionReady) == ready && says(v1.ConditionInUse) == inUse, nil
	})
}
