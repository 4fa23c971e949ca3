package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/crd/validate"
	"github.com/osm-edge/osm/manifests/render"
)

// oldest is the oldest Kubernetes that a mesh runs on, as the chart says too.
const oldest = "1.30.0"

// preflight looks for what would have an installation fail, and for what would
// have a mesh not be what was meant. It writes nothing.
type preflight struct {
	client   kubernetes.Interface
	cluster  *cluster
	release  *helmRelease
	mesh     string
	values   meshValues
	objects  []*unstructured.Unstructured // of the chart
	given    map[string]any
	effects  *effects
	out      *terminal
	problems []error

	fewRights   bool // the user may not do what an installation does
	noNamespace bool // the mesh namespace is not there, and no hint has made it yet
}

// preflight prints what it finds, and fails if anything is in the way.
func (o *installOptions) preflight(ctx context.Context, out *terminal, release *helmRelease, given map[string]any) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	// The chart is rendered here so that values it refuses are refused first.
	objects, err := render.Chart(render.Options{Namespace: o.cluster.meshNamespace, Values: given})
	if err != nil {
		return fmt.Errorf("the chart does not take these values: %w", err)
	}
	values, err := coalesce(given)
	if err != nil {
		return err
	}
	p := &preflight{client: client, cluster: o.cluster, release: release, mesh: o.meshName, values: values, objects: objects, given: given, out: out}
	for _, look := range []func(context.Context) error{p.version, p.rights, p.namespace, p.others, p.left, p.preset, p.authority, p.ranges} {
		err := look(ctx)
		if p.fewRights && apierrors.IsForbidden(err) {
			break // what there is to fix was said
		}
		if err != nil {
			return fmt.Errorf("look at the cluster: %w", err)
		}
	}
	if n := len(p.problems); n > 0 {
		return fmt.Errorf("nothing was installed: %s to fix first", countOf(n, "thing"))
	}
	return nil
}

// refuse notes what is in the way, and how to fix it: in the mesh namespace, which
// the first of the hints that need it makes.
func (p *preflight) refuse(fix, format string, args ...any) {
	const create = "kubectl create secret "
	if p.noNamespace && strings.Contains(fix, create) {
		fix = strings.Replace(fix, create, "kubectl create namespace "+p.cluster.meshNamespace+" && "+create, 1)
		p.noNamespace = false
	}
	problem := fmt.Errorf(format, args...)
	p.problems = append(p.problems, problem)
	p.out.say(failed, "%s\n    to fix it: %s", problem, fix)
}

func (p *preflight) version(context.Context) error {
	info, err := p.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	has, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return err
	}
	if has.LessThan(version.MustParseGeneric(oldest)) {
		p.refuse("upgrade the cluster", "Kubernetes is %s, and a mesh needs %s or newer", info.GitVersion, oldest)
		return nil
	}
	p.out.say(done, "Kubernetes is %s", info.GitVersion)
	return nil
}

// rights asks whether the user may create what the chart consists of.
func (p *preflight) rights(ctx context.Context) error {
	var missing []string
	for _, one := range []struct{ group, resource, namespace string }{
		{"", "namespaces", ""},
		{"apiextensions.k8s.io", "customresourcedefinitions", ""},
		{"rbac.authorization.k8s.io", "clusterroles", ""},
		{"rbac.authorization.k8s.io", "clusterrolebindings", ""},
		{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""},
		{"admissionregistration.k8s.io", "validatingwebhookconfigurations", ""},
		{"", "secrets", p.cluster.meshNamespace}, // of Helm
		{"apps", "deployments", p.cluster.meshNamespace},
		{"rbac.authorization.k8s.io", "roles", p.cluster.meshNamespace},
	} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "create", Group: one.group, Resource: one.resource, Namespace: one.namespace},
		}}
		answer, err := p.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if !answer.Status.Allowed {
			missing = append(missing, one.resource)
		}
	}
	if p.fewRights = len(missing) > 0; p.fewRights {
		p.refuse("do it as a cluster administrator", "you may not create %s", strings.Join(missing, ", "))
		return nil
	}
	p.out.say(done, "you may create what a mesh consists of")
	return nil
}

// namespace refuses one that is being deleted.
func (p *preflight) namespace(ctx context.Context) error {
	found, err := p.client.CoreV1().Namespaces().Get(ctx, p.cluster.meshNamespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		p.noNamespace = true
		return nil
	}
	if err != nil || found.DeletionTimestamp == nil {
		return err
	}
	wait, why := "kubectl wait --for=delete namespace/"+found.Name, ""
	switch {
	case len(found.Finalizers) > 0:
		wait = "it " + waitsForFinalizers(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, found) + " && " + wait
	case contentOf(found) != "":
		why = ": " + contentOf(found)
		wait = "remove what it waits for, and " + wait
	}
	p.refuse(wait, "namespace %s is being deleted%s", found.Name, why)
	return nil
}

// contentOf says what the deletion of a namespace waits for, as Kubernetes does.
func contentOf(namespace *corev1.Namespace) string {
	for _, condition := range namespace.Status.Conditions {
		if condition.Type == corev1.NamespaceFinalizersRemaining && condition.Status == corev1.ConditionTrue {
			return condition.Message
		}
	}
	return ""
}

// left compares the values with what an earlier mesh left, which takes precedence.
func (p *preflight) left(ctx context.Context) error {
	found, err := p.cluster.inForce(ctx)
	if err != nil {
		return err
	}
	if p.effects, err = newEffects(p.cluster.meshNamespace, p.given, p.given, found); err != nil {
		return err
	}
	refusals, err := p.effects.refusals(ctx, p.cluster, p.values, p.given, nil)
	for _, r := range refusals {
		p.refuse(r.fix, "%s", r.problem)
	}
	p.effects.tell(p.out)
	return err
}

// ranges warns of a mesh whose pods reach no one but each other.
func (p *preflight) ranges(ctx context.Context) error {
	if len(p.values.Inclusions)+len(p.values.Exclusions) > 0 {
		return nil
	}
	known, why := p.knownRanges(ctx), ""
	if len(known) == 0 {
		known, why = []string{"10.0.0.0/8"}, ", with the ranges of your cluster's pods and Services"
	}
	p.out.say(beware, "whatever a pod of the mesh calls must belong to the mesh, addresses outside of the cluster too\n    to change it: --set 'osm.outboundIPRangeInclusionList={%s}'%s", strings.Join(known, ","), why)
	return nil
}

// knownRanges are those of Services and pods, as far as the cluster shows.
func (p *preflight) knownRanges(ctx context.Context) (ranges []string) {
	add := func(more ...string) {
		for _, r := range more {
			if r != "" && !slices.Contains(ranges, r) {
				ranges = append(ranges, r)
			}
		}
	}
	if services, err := p.client.NetworkingV1().ServiceCIDRs().List(ctx, metav1.ListOptions{}); err == nil {
		for _, s := range services.Items {
			add(s.Spec.CIDRs...)
		}
	}
	nodes, err := p.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 50})
	if err != nil || len(nodes.Items) == 50 {
		return nil // half of the pods would be worse than none
	}
	pods := 0
	for _, n := range nodes.Items {
		pods += len(n.Spec.PodCIDRs)
		add(n.Spec.PodCIDRs...)
	}
	if pods == 0 {
		return nil
	}
	return ranges
}

// meshValues are those of the chart that an installation looks at.
type meshValues struct {
	RootSecret    string   `json:"caBundleSecretName"`
	TrustDomain   string   `json:"trustDomain"`
	WebhookPrefix string   `json:"webhookConfigNamePrefix"`
	Inclusions    []string `json:"outboundIPRangeInclusionList"`
	Exclusions    []string `json:"outboundIPRangeExclusionList"`
	Provider      struct {
		Kind string `json:"kind"`
	} `json:"certificateProvider"`
}

// coalesce lays values over the chart's own.
func coalesce(given map[string]any) (meshValues, error) {
	chart, err := render.Load()
	if err != nil {
		return meshValues{}, err
	}
	merged, err := render.Values(chart, given)
	if err != nil {
		return meshValues{}, err
	}
	data, err := yaml.Marshal(merged["osm"])
	if err != nil {
		return meshValues{}, err
	}
	var values meshValues
	if err := yaml.Unmarshal(data, &values); err != nil {
		return meshValues{}, errors.New("the values of osm are not what the chart takes")
	}
	return values, nil
}

// preset refuses settings that the mesh's webhook would: osm-bootstrap creates
// them before there is one.
func (p *preflight) preset(context.Context) error {
	found, err := unfit(p.objects)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		p.refuse("correct "+p.valuesOf(kind, found[kind])+" with --set or --values", "the values make a %s that is refused: %s", kind, found[kind])
	}
	return nil
}

// unfit returns what the webhook would say of the chart's settings, by kind.
func unfit(objects []*unstructured.Unstructured) (map[string]string, error) {
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "ConfigMap" && o.GetName() == "osm-preset"
	})
	if i < 0 {
		return nil, nil
	}
	data, _, err := unstructured.NestedStringMap(objects[i].Object, "data")
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap osm-preset of the chart: %w", err)
	}
	found := map[string]string{}
	look := func(kind, key string, check func([]byte) error) {
		object, err := yaml.YAMLToJSON([]byte(data[key]))
		if err == nil {
			err = check(object)
		}
		if err != nil {
			found[kind] = strings.TrimSpace(err.Error())
		}
	}
	look(meshConfigKind, "mesh-config.yaml", func(config []byte) error {
		_, err := validate.ReadMeshConfig(config)
		return err
	})
	look(rootKind, "mesh-root-certificate.yaml", validate.CheckMeshRootCertificate)
	return found, nil
}

// valuesOf names the values that were given and that what is said of a kind is
// about: with another it is something else.
func (p *preflight) valuesOf(kind, problem string) string {
	chart, err := render.Load()
	if err != nil {
		return "the value"
	}
	var names []string
	for _, path := range leaves(nil, p.given) {
		name := strings.Join(path, ".")
		if name == kindValue {
			continue // what is wrong is wrong of the kind that is meant
		}
		said := []string{} // with another value; nothing if the chart takes no other that is known
		for _, value := range []any{other(at(p.given, path)), at(chart.Values, path)} {
			objects, err := render.Chart(render.Options{Namespace: p.cluster.meshNamespace, Values: put(p.given, path, value), Unchecked: true, WithoutCRDs: true})
			if err != nil {
				continue
			}
			if found, err := unfit(objects); err == nil {
				said = append(said, found[kind])
			}
		}
		if len(said) == 0 || slices.ContainsFunc(said, func(text string) bool { return text != problem }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "the value"
	}
	return strings.Join(names, ", ")
}
