package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/manifests/render"
)

// question is a right, and how to ask for it.
type question struct {
	right check.Right
	spec  authorizationv1.SubjectAccessReviewSpec
}

// rights asks for every right that the chart grants the components.
func (s *Survey) rights(ctx context.Context, snapshot *check.Snapshot) error {
	questions, err := s.questions(snapshot)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	snapshot.Rights = make([]check.Right, len(questions))
	for i, q := range questions {
		group.Go(func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: q.spec}
			answer, err := s.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("ask what %s may do: %w", q.right.Account, err)
			}
			snapshot.Rights[i] = q.right
			snapshot.Rights[i].Allowed = answer.Status.Allowed
			return nil
		})
	}
	return group.Wait()
}

func (s *Survey) questions(snapshot *check.Snapshot) (all []question, err error) {
	bootstrap := snapshot.Deployments["osm-bootstrap"]
	mutating := argument(bootstrap, "mutating-webhook", "osm-webhook-"+snapshot.Mesh)
	objects, err := render.Chart(render.Options{Namespace: s.Namespace, Values: map[string]any{"osm": map[string]any{
		"meshName":                snapshot.Mesh,
		"caBundleSecretName":      argument(bootstrap, "ca-bundle-secret-name", "osm-ca-bundle"),
		"webhookConfigNamePrefix": strings.TrimSuffix(mutating, "-"+snapshot.Mesh),
	}}})
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		questions, err := s.granted(object, snapshot.Mesh)
		if err != nil {
			return nil, err
		}
		all = append(all, questions...)
	}
	return all, nil
}

// granted returns what a Role or ClusterRole of the chart grants. Each is named
// after the component that it is bound to.
func (s *Survey) granted(object *unstructured.Unstructured, mesh string) (all []question, err error) {
	account := strings.TrimSuffix(object.GetName(), "-"+mesh)
	kind := object.GetKind()
	if kind != "Role" && kind != "ClusterRole" || !slices.Contains(check.Components[:], account) {
		return nil, nil
	}
	var role rbacv1.ClusterRole
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
		return nil, err
	}
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			for _, path := range rule.NonResourceURLs {
				all = append(all, s.ask(account, verb, path, nil))
			}
			for _, attributes := range resources(rule, verb, object.GetNamespace()) {
				all = append(all, s.ask(account, verb, "", &attributes))
			}
		}
	}
	return all, nil
}

func resources(rule rbacv1.PolicyRule, verb, namespace string) (all []authorizationv1.ResourceAttributes) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			resource, sub, _ := strings.Cut(resource, "/")
			for _, name := range names {
				all = append(all, authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: sub, Name: name,
				})
			}
		}
	}
	return all
}

func (s *Survey) ask(account, verb, path string, attributes *authorizationv1.ResourceAttributes) question {
	q := question{right: check.Right{Account: account, Verb: verb, Resource: path}, spec: authorizationv1.SubjectAccessReviewSpec{
		User:               fmt.Sprintf("system:serviceaccount:%s:%s", s.Namespace, account),
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + s.Namespace, "system:authenticated"},
		ResourceAttributes: attributes,
	}}
	if attributes == nil {
		q.spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: path, Verb: verb}
		return q
	}
	q.right.Resource = attributes.Resource
	if attributes.Subresource != "" {
		q.right.Resource += "/" + attributes.Subresource
	}
	if attributes.Name != "" {
		q.right.Resource += " " + attributes.Name
	}
	if attributes.Namespace == "" {
		q.right.Resource += " in all namespaces"
	}
	return q
}
