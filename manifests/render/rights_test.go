package render

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// secrets are all that each component may do to Secrets, as verb and name.
var secrets = map[string][]string{
	"osm-injector": {"get osm-injector-tls", "list osm-injector-tls", "watch osm-injector-tls"},
	// Those that MeshRootCertificates refer to, by any name.
	"osm-controller": {"create *", "get *", "list *", "update osm-controller-tls", "watch *"},
	"osm-bootstrap": {
		"create *", "get *",
		"list osm-bootstrap-tls", "list osm-ca-bundle", "list osm-injector-tls", "list osm-validator-tls",
		"patch *", "update osm-bootstrap-tls", "update osm-injector-tls", "update osm-validator-tls",
		"watch osm-bootstrap-tls", "watch osm-ca-bundle", "watch osm-injector-tls", "watch osm-validator-tls",
	},
}

func TestAComponentTouchesOnlyTheSecretsItNeeds(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for _, component := range components {
		t.Run(component, func(t *testing.T) {
			role := find[rbacv1.Role](t, objects, "Role", component)
			if got := rightsTo("secrets", role.Rules); !slices.Equal(got, secrets[component]) {
				t.Errorf("it may %q, want %q", got, secrets[component])
			}
			everywhere := find[rbacv1.ClusterRole](t, objects, "ClusterRole", component+"-osm")
			if got := rightsTo("secrets", everywhere.Rules); len(got) > 0 {
				t.Errorf("in every namespace it may %q", got)
			}
		})
	}
}

// rightsTo returns verbs and names, a star for any.
func rightsTo(resource string, rules []rbacv1.PolicyRule) []string {
	var rights []string
	for _, rule := range rules {
		if !slices.Contains(rule.Resources, resource) {
			continue
		}
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{"*"}
		}
		for _, verb := range rule.Verbs {
			for _, name := range names {
				rights = append(rights, verb+" "+name)
			}
		}
	}
	slices.Sort(rights)
	return rights
}

func TestTheNameOfTheRootsSecretIsThatOfTheRights(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{"caBundleSecretName": "123"})})
	if got := rightsTo("secrets", find[rbacv1.Role](t, objects, "Role", "osm-bootstrap").Rules); !slices.Contains(got, "watch 123") {
		t.Errorf("osm-bootstrap may %q, want watch 123", got)
	}
}

func TestAComponentFollowsTheOneMeshConfig(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for _, component := range components {
		rules := find[rbacv1.Role](t, objects, "Role", component).Rules
		for _, want := range []string{"get osm-mesh-config", "list osm-mesh-config", "watch osm-mesh-config"} {
			if got := rightsTo("meshconfigs", rules); !slices.Contains(got, want) {
				t.Errorf("%s may %q, want %s", component, got, want)
			}
		}
		var status []string
		if component == "osm-controller" {
			status = []string{"patch osm-mesh-config"}
		}
		if got := rightsTo("meshconfigs/status", rules); !slices.Equal(got, status) {
			t.Errorf("%s may %q its status, want %q", component, got, status)
		}
	}
}

func TestTheInjectorReadsTheServiceOfOsmControllerAndNoOther(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	rules := find[rbacv1.Role](t, objects, "Role", "osm-injector").Rules
	want := []string{"get osm-controller", "list osm-controller", "watch osm-controller"}
	if got := rightsTo("services", rules); !slices.Equal(got, want) {
		t.Errorf("of Services of the mesh namespace it may %q, want %q", got, want)
	}
	if got := rightsTo("services", find[rbacv1.ClusterRole](t, objects, "ClusterRole", "osm-injector-osm").Rules); len(got) > 0 {
		t.Errorf("of other Services it may %q", got)
	}
}

func TestOsmBootstrapCreatesTheMeshsObjectsAndChangesNone(t *testing.T) {
	rules := find[rbacv1.Role](t, mustRender(t, Options{Namespace: "osm-system"}), "Role", "osm-bootstrap").Rules
	for resource, want := range map[string][]string{
		"meshconfigs":          {"create *", "get osm-mesh-config", "list osm-mesh-config", "watch osm-mesh-config"},
		"meshrootcertificates": {"create *", "get *", "list *", "watch *"},
		"configmaps":           {"get osm-preset", "get osm-trust-bundle", "list osm-trust-bundle", "watch osm-trust-bundle"},
	} {
		if got := rightsTo(resource, rules); !slices.Equal(got, want) {
			t.Errorf("of %s it may %q, want %q", resource, got, want)
		}
	}
}

// requests are what osm-controller makes of cert-manager's, and takes away.
var requests = rbacv1.PolicyRule{
	APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificaterequests"},
	Verbs: []string{"create", "list", "watch", "delete"},
}

// records are what its replicas say to each other, in the mesh namespace.
var records = rbacv1.PolicyRule{
	APIGroups: []string{""}, Resources: []string{"configmaps"},
	Verbs: []string{"create", "get", "list", "watch", "update", "patch", "delete"},
}

// published reports whether a rule is about what osm-controller publishes to
// namespaces, by name, which it makes anew where a tenant has made it immutable.
func published(rule rbacv1.PolicyRule) bool {
	return slices.Equal(rule.Resources, []string{"configmaps"}) && len(rule.ResourceNames) == 2 &&
		rule.ResourceNames[0] == "osm-trust-bundle" && strings.HasPrefix(rule.ResourceNames[1], "osm-sidecar-")
}

func TestNoRightIsAWildcardOrDeletesWhatIsNotOnesOwn(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for _, component := range components {
		rules := find[rbacv1.Role](t, objects, "Role", component).Rules
		rules = append(rules, find[rbacv1.ClusterRole](t, objects, "ClusterRole", component+"-osm").Rules...)
		for _, rule := range rules {
			if component == "osm-controller" && (apiequality.Semantic.DeepEqual(rule, requests) || apiequality.Semantic.DeepEqual(rule, records) || published(rule)) {
				continue
			}
			all := slices.Concat(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames, rule.NonResourceURLs)
			for _, never := range []string{"*", "delete", "deletecollection", "escalate", "bind", "impersonate"} {
				if slices.Contains(all, never) {
					t.Errorf("%s has a rule %v", component, rule)
				}
			}
		}
	}
}

func TestTheControllerWritesNothingOfRootsButTheirStatus(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	rules := find[rbacv1.Role](t, objects, "Role", "osm-controller").Rules
	if got := rightsTo("meshrootcertificates", rules); !slices.Equal(got, []string{"get *", "list *", "watch *"}) {
		t.Errorf("it may %q them", got)
	}
	if got := rightsTo("meshrootcertificates/status", rules); !slices.Equal(got, []string{"update *"}) {
		t.Errorf("it may %q their status", got)
	}
}

func TestTheReplicasOfTheControllerTalkInTheMeshNamespaceAlone(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	here := find[rbacv1.Role](t, objects, "Role", "osm-controller").Rules
	everywhere := find[rbacv1.ClusterRole](t, objects, "ClusterRole", "osm-controller-osm").Rules
	for resource, want := range map[string][]string{
		"leases":     {"create *", "get osm-controller", "update osm-controller"},
		"configmaps": {"create *", "list *", "update *", "watch *"},
		"events":     {"create *"},
	} {
		if got := rightsTo(resource, here); !slices.Equal(got, want) {
			t.Errorf("of %s it may %q, want %q", resource, got, want)
		}
	}
	for _, resource := range []string{"leases", "events"} {
		if got := rightsTo(resource, everywhere); len(got) > 0 {
			t.Errorf("of %s it may %q in every namespace", resource, got)
		}
	}
	for _, never := range []string{"delete *", "update *", "patch *"} {
		if got := rightsTo("configmaps", everywhere); slices.Contains(got, never) {
			t.Errorf("of configmaps it may %s in every namespace", never)
		}
	}
}

func TestTheInjectorWritesNothingButEvents(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	rules := slices.Concat(find[rbacv1.Role](t, objects, "Role", "osm-injector").Rules,
		find[rbacv1.ClusterRole](t, objects, "ClusterRole", "osm-injector-osm").Rules)
	if got := rightsTo("events", rules); !slices.Equal(got, []string{"create *", "patch *"}) {
		t.Errorf("it may %q events", got)
	}
	for _, rule := range rules {
		if slices.Equal(rule.Resources, []string{"events"}) && slices.Equal(rule.APIGroups, []string{""}) {
			continue
		}
		for _, verb := range rule.Verbs {
			if !slices.Contains([]string{"get", "list", "watch"}, verb) {
				t.Errorf("it may %s %v", verb, rule.Resources)
			}
		}
	}
}

func TestEachComponentHasAnAccountAndRolesOfItsOwn(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for _, kind := range []string{"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} {
		if n := len(ofKind(objects, kind)); n != len(components) {
			t.Errorf("%d of %s, want %d", n, kind, len(components))
		}
	}
	for _, component := range components {
		local := find[rbacv1.RoleBinding](t, objects, "RoleBinding", component)
		everywhere := find[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding", component+"-osm")
		if local.RoleRef.Kind != "Role" || local.RoleRef.Name != component {
			t.Errorf("%s is bound to %v", component, local.RoleRef)
		}
		if everywhere.RoleRef.Kind != "ClusterRole" || everywhere.RoleRef.Name != component+"-osm" {
			t.Errorf("%s is bound to %v", component, everywhere.RoleRef)
		}
		want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: component, Namespace: "osm-system"}}
		if !slices.Equal(local.Subjects, want) || !slices.Equal(everywhere.Subjects, want) {
			t.Errorf("bound are %v and %v, want %v", local.Subjects, everywhere.Subjects, want)
		}
	}
}
