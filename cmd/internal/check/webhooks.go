package check

import (
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// call is how the API server is told to call a server of the mesh.
type call struct {
	object   string
	caBundle []byte
	// problem is what is wrong with it, caBundle aside, and fix what puts it right.
	problem, fix string
}

// endpoint is where a server of the mesh is.
type endpoint struct {
	service, path string
	port          int32
}

func (e endpoint) in(namespace string) string {
	return fmt.Sprintf("%s.%s:%d%s", e.service, namespace, e.port, e.path)
}

var (
	injection  = endpoint{"osm-injector", "/mutate-pod-creation", 9090}
	validation = endpoint{"osm-validator", "/validate", 9093}
	conversion = endpoint{"osm-bootstrap", "/convert", 9443}
)

func (s *Snapshot) webhooks(c *Check) {
	calls := map[string][]call{
		injection.service:  s.mutating(c),
		validation.service: s.validating(c),
		conversion.service: s.converting(),
	}
	ends := time.Time{}
	for _, service := range Servers {
		chain := s.serving(service, c)
		if chain != nil && (ends.IsZero() || chain[0].NotAfter.Before(ends)) {
			ends = chain[0].NotAfter
		}
		for _, one := range calls[service] {
			if one.problem != "" {
				c.fail(one.object, one.fix, "%s", one.problem)
			}
			s.trustedBy(one, service, chain, c)
		}
	}
	if !ends.IsZero() {
		c.Summary = "serving certificates expire in " + Left(ends.Sub(s.Now))
	}
}

func (s *Snapshot) mutating(c *Check) (calls []call) {
	if s.Mutating == nil {
		c.fail("MutatingWebhookConfiguration osm-webhook-"+s.Mesh, s.upgrade(), "it does not exist: new pods get no sidecar")
		return nil
	}
	object := "MutatingWebhookConfiguration " + s.Mutating.Name
	if len(s.Mutating.Webhooks) == 0 {
		c.fail(object, s.upgrade(), "it has no webhooks: new pods get no sidecar")
	}
	for _, w := range s.Mutating.Webhooks {
		calls = append(calls, s.webhook(object, w.ClientConfig, w.FailurePolicy, injection))
	}
	return calls
}

func (s *Snapshot) validating(c *Check) (calls []call) {
	if s.Validating == nil {
		c.fail("ValidatingWebhookConfiguration osm-validator-mesh-"+s.Mesh, s.upgrade(), "it does not exist: mistakes in the mesh's objects are accepted")
		return nil
	}
	object := "ValidatingWebhookConfiguration " + s.Validating.Name
	if len(s.Validating.Webhooks) == 0 {
		c.fail(object, s.upgrade(), "it has no webhooks: mistakes in the mesh's objects are accepted")
	}
	for _, w := range s.Validating.Webhooks {
		calls = append(calls, s.webhook(object, w.ClientConfig, w.FailurePolicy, validation))
	}
	return calls
}

func (s *Snapshot) webhook(object string, config admissionregistrationv1.WebhookClientConfig, policy *admissionregistrationv1.FailurePolicyType, to endpoint) call {
	one := call{object: object, caBundle: config.CABundle, fix: s.upgrade()}
	if service := config.Service; service == nil {
		one.problem = "it calls a URL, not Service " + to.service
	} else {
		one.problem = s.goes(to, service.Namespace, service.Name, service.Path, service.Port)
	}
	if one.problem == "" && (policy == nil || *policy != admissionregistrationv1.Fail) {
		one.problem = "its failurePolicy is not Fail: while it cannot be called, the API server continues without it"
	}
	return one
}

// converting returns what is said of conversion. A definition that is missing
// is told elsewhere.
func (s *Snapshot) converting() (calls []call) {
	for name, definition := range s.Definitions {
		if definition == nil {
			continue
		}
		one := call{object: "CustomResourceDefinition " + name, fix: s.restart("osm-bootstrap")}
		spec := definition.Spec.Conversion
		if len(s.Others) > 0 && !s.converts(spec) {
			continue // another mesh does, for the moment; which is told elsewhere
		}
		if spec == nil || spec.Strategy != apiextensionsv1.WebhookConverter || spec.Webhook == nil || spec.Webhook.ClientConfig == nil || spec.Webhook.ClientConfig.Service == nil {
			one.problem = "it does not convert by the webhook of osm-bootstrap"
		} else {
			config := spec.Webhook.ClientConfig
			one.caBundle = config.CABundle
			one.problem = s.goes(conversion, config.Service.Namespace, config.Service.Name, config.Service.Path, config.Service.Port)
		}
		calls = append(calls, one)
	}
	slices.SortFunc(calls, func(a, b call) int { return slices.Compare([]byte(a.object), []byte(b.object)) })
	return calls
}

// converts reports whether this mesh is who converts.
func (s *Snapshot) converts(spec *apiextensionsv1.CustomResourceConversion) bool {
	return spec != nil && spec.Webhook != nil && spec.Webhook.ClientConfig != nil && spec.Webhook.ClientConfig.Service != nil &&
		spec.Webhook.ClientConfig.Service.Namespace == s.Namespace
}

// goes returns how a call goes elsewhere.
func (s *Snapshot) goes(to endpoint, namespace, name string, path *string, port *int32) (problem string) {
	said := endpoint{service: name, port: 443}
	if path != nil {
		said.path = *path
	}
	if port != nil {
		said.port = *port
	}
	if said != to || namespace != s.Namespace {
		return fmt.Sprintf("it calls %s, not %s", said.in(namespace), to.in(s.Namespace))
	}
	return ""
}
