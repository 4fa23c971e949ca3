package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// helmManager is the name under which helm's own command line applies fields, on
// the server's side and on the client's. osm applies them under the same name:
// what two managers own, each of them has to take from the other.
const helmManager = "helm"

const (
	releaseNameAnnotation      = "meta.helm.sh/release-name"
	releaseNamespaceAnnotation = "meta.helm.sh/release-namespace"
	managedByLabel             = "app.kubernetes.io/managed-by"
	managedByHelm              = "Helm"
)

// releaseName is the field that Helm alone has reason to apply.
var releaseName = fieldpath.MakePathOrDie("metadata", "annotations", releaseNameAnnotation)

// takenOver returns the managed fields of an object after Helm has become the
// only manager of what the chart sets. What Helm applied under other names, or on
// the client's side, becomes its own, so that fields that leave the chart go. What
// others added stays theirs, and so does what is not of spec and metadata: the
// number of replicas is of those who scale. Without a chart all of spec becomes
// Helm's, so that what the chart does not set goes. See KEP-555, "Server Side Apply".
func takenOver(entries []metav1.ManagedFieldsEntry, chart *fieldpath.Set) (after []metav1.ManagedFieldsEntry, changed bool, err error) {
	ours, own := &fieldpath.Set{}, metav1.ManagedFieldsEntry{Manager: helmManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1"}
	for _, entry := range entries {
		set, err := fieldsOf(entry)
		if err != nil {
			return nil, false, err
		}
		switch {
		case entry.Subresource != "" || keepsFields(entry.Manager):
			after = append(after, entry)
		case appliedByHelm(entry, set):
			ours = ours.Union(withoutBundles(set))
			own.APIVersion, own.Time = entry.APIVersion, entry.Time
		default:
			taken := chart
			if chart == nil {
				taken = withoutMetadata(withoutBundles(set))
				ours = ours.Union(taken)
			}
			rest := set.Difference(taken)
			if rest.Empty() {
				continue
			}
			if !rest.Equals(set) {
				if entry.FieldsV1, err = encodeFields(rest); err != nil {
					return nil, false, err
				}
			}
			after = append(after, entry)
		}
	}
	if !ours.Empty() {
		if own.FieldsV1, err = encodeFields(ours); err != nil {
			return nil, false, err
		}
		after = append(after, own)
	}
	return after, !sameEntries(entries, after), nil
}

// keepsFields tells of the cluster's own controllers and of the mesh's.
func keepsFields(manager string) bool {
	return slices.Contains([]string{"osm-bootstrap", "osm-controller", "osm-injector", "kube-controller-manager"}, manager)
}

// appliedByHelm tells whether an entry is of Helm under whatever name: its
// library takes that of the program, and an osm may have been renamed.
func appliedByHelm(entry metav1.ManagedFieldsEntry, set *fieldpath.Set) bool {
	if entry.Manager == helmManager || entry.Manager == name {
		return true
	}
	return entry.Operation == metav1.ManagedFieldsOperationApply && set.Has(releaseName) && !strings.HasPrefix(entry.Manager, "kubectl")
}

// withoutBundles leaves a caBundle to osm-bootstrap, which sets it.
func withoutBundles(set *fieldpath.Set) *fieldpath.Set {
	return fieldsBut(set, func(path fieldpath.Path) bool { return isField(path[len(path)-1], "caBundle") })
}

// withoutMetadata leaves labels and annotations to those who added them.
func withoutMetadata(set *fieldpath.Set) *fieldpath.Set {
	return fieldsBut(set, func(path fieldpath.Path) bool { return isField(path[0], "metadata") })
}

func isField(element fieldpath.PathElement, name string) bool {
	return element.FieldName != nil && *element.FieldName == name
}

func fieldsBut(set *fieldpath.Set, left func(fieldpath.Path) bool) *fieldpath.Set {
	rest := &fieldpath.Set{}
	set.Iterate(func(path fieldpath.Path) {
		if !left(path) {
			rest.Insert(path.Copy())
		}
	})
	return rest
}

// appliedFields returns the fields that Helm applied to an object.
func appliedFields(object *unstructured.Unstructured) (*fieldpath.Set, error) {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == helmManager && entry.Operation == metav1.ManagedFieldsOperationApply {
			return fieldsOf(entry)
		}
	}
	return &fieldpath.Set{}, nil
}

func fieldsOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if entry.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("read the fields that %s manages: %w", entry.Manager, err)
	}
	return set, nil
}

func encodeFields(set *fieldpath.Set) (*metav1.FieldsV1, error) {
	data, err := set.ToJSON()
	return metav1.NewFieldsV1(string(data)), err
}

// sameEntries compares by who manages what: the order tells nothing.
func sameEntries(a, b []metav1.ManagedFieldsEntry) bool {
	key := func(e metav1.ManagedFieldsEntry) string {
		return e.Manager + " " + string(e.Operation) + " " + e.Subresource
	}
	sorted := func(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
		return slices.SortedFunc(slices.Values(entries), func(a, b metav1.ManagedFieldsEntry) int { return strings.Compare(key(a), key(b)) })
	}
	return slices.EqualFunc(sorted(a), sorted(b), func(a, b metav1.ManagedFieldsEntry) bool {
		return key(a) == key(b) && reflect.DeepEqual(decoded(a), decoded(b))
	})
}

func decoded(entry metav1.ManagedFieldsEntry) (fields any) {
	if entry.FieldsV1 != nil && json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
		return nil
	}
	return fields
}

// takeOverPatch is the JSON patch that writes the entries, unless the object has
// changed meanwhile.
func takeOverPatch(object *unstructured.Unstructured, entries []metav1.ManagedFieldsEntry) ([]byte, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	return json.Marshal([]operation{
		{"replace", "/metadata/managedFields", entries},
		{"replace", "/metadata/resourceVersion", object.GetResourceVersion()},
	})
}

// inForce is what a mesh follows, and what an uninstall leaves: it takes
// precedence over the values that made it.
type inForce struct {
	config *unstructured.Unstructured // nil without a MeshConfig
	active []v1.MeshRootCertificate   // those that are not being deleted
}

// inForce reads the mesh's own objects. Those that cannot be converted while
// osm-bootstrap is away are as good as none: the upgrade brings it back.
func (c *cluster) inForce(ctx context.Context) (inForce, error) {
	config, err := c.config()
	if err != nil {
		return inForce{}, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return inForce{}, err
	}
	var found inForce
	of := func(resource string) dynamic.ResourceInterface {
		return client.Resource(v1.GroupVersion.WithResource(resource)).Namespace(c.meshNamespace)
	}
	found.config, err = of("meshconfigs").Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || unconverted(err) {
		found.config, err = nil, nil
	}
	if err != nil {
		return inForce{}, fmt.Errorf("read the MeshConfig: %w", err)
	}
	roots, err := of("meshrootcertificates").List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) || unconverted(err) {
		return found, nil
	}
	if err != nil {
		return inForce{}, fmt.Errorf("list MeshRootCertificates: %w", err)
	}
	found.active, err = activeOf(roots.Items)
	return found, err
}

// activeOf returns the roots that are Active and not being deleted.
func activeOf(objects []unstructured.Unstructured) (active []v1.MeshRootCertificate, err error) {
	for _, object := range objects {
		var root v1.MeshRootCertificate
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &root); err != nil {
			return nil, fmt.Errorf("read MeshRootCertificate %s: %w", object.GetName(), err)
		}
		if root.Spec.Role == v1.Active && root.DeletionTimestamp == nil {
			active = append(active, root)
		}
	}
	return active, nil
}

// signer returns the root that is to sign, nil if osm-bootstrap is to make one.
func (f inForce) signer() *v1.MeshRootCertificate { return v1.NewestActive(f.active) }

// kindOf returns what osm.certificateProvider.kind calls a provider.
func kindOf(p v1.Provider) string {
	switch {
	case p.Vault != nil:
		return "vault"
	case p.CertManager != nil:
		return "cert-manager"
	}
	return "tresor"
}
