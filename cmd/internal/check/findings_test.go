package check

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// either is a finding that is a warning at first, and an error as time goes by: see TestSituationsThatTakeTime.
const either Severity = "either"

// findings are what each check can find, as function: format, and how bad that is. TestTheHintOfEachFindingHelps
// plants each of them.
var findings = map[string]map[string]Severity{
	"control-plane": {
		"controlPlane: it does not exist":        Error,
		"controlPlane: it is not ready: %s":      Error,
		"deployment: %d of %s available%s":       Warning,
		"deployment: it is scaled to no replica": Error,
		"deployment: none of %s is available%s":  Error,
		"leader: %s holds it and has not renewed it for %s: roots are not replaced, and no status is written": Warning,
		"leader: its clock is %s ahead of the API server's":                                                   Warning,
		"leader: its clock is %s behind the API server's":                                                     Warning,
		"leader: no osm-controller leads: roots are not replaced, and no status is written":                   Warning,
		"versions: its components are of different versions: %s":                                              Error,
	},
	"permissions": {
		"permissions: it may not: %s": Error,
	},
	"definitions": {
		"compareDefinition: it does not exist":                                                   Error,
		"compareDefinition: it has no version %s":                                                Error,
		"compareDefinition: it is being deleted, with all of its objects":                        Error,
		"compareDefinition: it is not established: %s":                                           Error,
		"compareDefinition: it stores another version than %s":                                   Error,
		"compareDefinition: its names are those of another definition: %s":                       Error,
		"compareDefinition: its version %s is not served":                                        Error,
		"definitions: meshes %s share the definitions and set their conversion webhook in turns": Warning,
	},
	"configuration": {
		"configuration: it does not exist: the mesh keeps to what it was installed with": Warning,
		"configuration: osm-controller has not taken notice of it yet":                   Warning,
		"configuration: what another says":                                               Error,
	},
	"root": {
		"authority: it cannot be used (%s): %s":                    Error,
		"authority: osm-controller has not taken notice of it yet": Warning,
		"authority: what another says":                             Warning,
		"issuers: what another says":                               Warning,
		"lifetimes: it expired at %s":                              Error,
		"lifetimes: it signs, and expires in %s":                   either,
		"lifetimes: it signs, and is not valid before %s":          Error,
		"plainVault: Vault is asked over http at %s: anyone on the way reads the mesh's login, and can have certificates signed for any name": Warning,
		"rootSecret: it does not exist: osm-bootstrap makes a new root, or you put your backup there":                                         Error,
		"rootSecret: its root is not trusted yet: osm-controller has not begun to distribute it":                                              Warning,
		"rootSecret: its root is not trusted yet: the mesh trusts %s, and no more at once":                                                    Warning,
		"rootSecret: key %q: %s": Error,
		"roots: no MeshRootCertificate of it is Active: no certificate is issued or renewed": Error,
	},
	"trust": {
		"copied: it does not exist: pods wait for it; osm-controller publishes it": Error,
		"copied: it holds %s, and the mesh trusts others: %s":                      Error,
		"copied: key %q is malformed: %s":                                          Error,
		"copied: something else made it: its labels are not %s":                    Error,
		"trust: it does not exist: osm-controller has not recorded a root yet":     Error,
		"trust: it is malformed, and osm-controller has not written it anew: %s":   Error,
		"trust: no root of it may sign":                                            Error,
	},
	"rotation": {
		"rotation: %d of %s acknowledged the new root; missing: %s":                           Warning,
		"rotation: %d of %s replaced after %s":                                                Warning,
		"rotation: osm-controller has not reported for %s how many certificates are replaced": Warning,
		"rotation: the new root has been distributed for %s and does not sign yet":            Error,
	},
	"webhooks": {
		"chain: key %q expired at %s":                                                                            Error,
		"chain: key %q is for %v, not for %s":                                                                    Error,
		"chain: key %q is not the private key of %q":                                                             Error,
		"chain: key %q is not valid before %s":                                                                   Error,
		"chain: key %q: %s":                                                                                      Error,
		"converting: it does not convert by the webhook of osm-bootstrap":                                        Error,
		"goes: it calls %s, not %s":                                                                              Error,
		"mutating: it does not exist: new pods get no sidecar":                                                   Error,
		"mutating: it has no webhooks: new pods get no sidecar":                                                  Error,
		"serving: it does not exist: %s has no serving certificate":                                              Error,
		"serving: key %q expires in %s and has not been renewed":                                                 Warning,
		"trustedBy: its caBundle does not verify what %s serves, which is signed by %s: %s":                      Error,
		"trustedBy: its caBundle is empty: the API server cannot verify %s":                                      Error,
		"trustedBy: its caBundle is malformed: %s":                                                               Error,
		"validating: it does not exist: mistakes in the mesh's objects are accepted":                             Error,
		"validating: it has no webhooks: mistakes in the mesh's objects are accepted":                            Error,
		"webhook: it calls a URL, not Service %s":                                                                Error,
		"webhook: its failurePolicy is not Fail: while it cannot be called, the API server continues without it": Error,
	},
	"reachability": {
		"reachability: the API server could not call it for %s: %s: %s":                                                                                             Error,
		"reachability: the API server continued without it, for %s: it does not reach it and its webhook's failurePolicy is Ignore, or its webhook is not for that": Error,
	},
	"clocks": {
		"clocks: %s: certificates that are made by one are not valid yet, or any more, for the other": Error,
		"clocks: %s; certificates forgive %s": Warning,
	},
	"namespaces": {
		"namespaces: %s of osm-edge with the keys of its sidecars, which this mesh does not use: %s": Warning,
		"namespaces: annotation %s is %q, neither enabled nor disabled: its pods are refused":        Error,
		"namespaces: it is labelled for the mesh and to be ignored, so it is ignored":                Warning,
		"namespaces: its label %s has no effect: the mesh leaves this namespace alone":               Warning,
		"namespaces: label %s names mesh %q, which is not there":                                     Warning,
	},
	"workloads": {
		"workloads: its pods cannot be created: %s":               Error,
		"workloads: whether pods can be created is not known: %s": Warning,
	},
	"pods": {
		"pods: %s whose sidecar is not ready: %s: %s": Error,
		"pods: %s without a sidecar, for they were there before the namespace joined the mesh, or no webhook was called: %s": Warning,
	},
	"registries": {
		"registries: %s without Secret %s among its imagePullSecrets, with which the sidecar's image is pulled: %s":              Warning,
		"registries: it does not exist: the mesh's images are pulled with it, and pods have Secrets of their own namespace only": Warning,
	},
	"ports": {
		"ports: port %d is HTTP, but nothing declares it to its sidecar: %s. Do not rely on x-forwarded-client-cert on this port": Warning,
	},
}

// mustBe fails the test unless a finding is of the check that the table has it in, and as bad as it says there.
func mustBe(t *testing.T, check, finding string, severity Severity) {
	t.Helper()
	want, ok := findings[check][finding]
	if !ok || want != severity && want != either {
		t.Errorf("check %s has %q as %s, want %q", check, finding, severity, want)
	}
}

func TestEveryCheckFindsNothingInAMeshThatIsInOrder(t *testing.T) {
	report := Run(newWorld(t).Snapshot)
	if len(report.Checks) != len(findings) {
		t.Errorf("there are %d checks, and findings of %d", len(report.Checks), len(findings))
	}
	for _, c := range report.Checks {
		if len(findings[c.Name]) == 0 {
			t.Errorf("check %s: no finding of it is tested", c.Name)
		}
		if c.Summary == "" || len(c.Findings) > 0 {
			t.Errorf("check %s: summary %q, findings %+v", c.Name, c.Summary, c.Findings)
		}
	}
}

func TestEveryFindingOfTheTableIsOfTheCode(t *testing.T) {
	texts := findingsOfTheCode(t)
	for check, all := range findings {
		for finding := range all {
			if _, ok := texts[finding]; !ok {
				t.Errorf("check %s finds no %q: remove it from the table", check, finding)
			}
		}
	}
}

// TestWhatFindingsSayOfDetails is about the parts of a finding that depend on how much there is to say.
func TestWhatFindingsSayOfDetails(t *testing.T) {
	blocked := func(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus) func(*world) {
		return both(available(0), func(w *world) {
			w.Deployments["osm-controller"].Status.Conditions = []appsv1.DeploymentCondition{{Type: kind, Status: status, Message: "the quota is used up"}}
		})
	}
	undeclared := func(pod string, numbers ...uint16) func(*world) {
		return func(w *world) {
			p := Pod{Namespace: "books", Name: pod, Sidecar: true}
			for _, number := range numbers {
				p.Ports = append(p.Ports, Port{Number: number, HTTP: []string{"a probe asks it"}})
			}
			w.Pods = append(w.Pods, p)
		}
	}
	uninjected := func(w *world) {
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			w.Pods = append(w.Pods, Pod{Namespace: "books", Name: name})
		}
	}
	tests := map[string]struct {
		check string
		plant func(*world)
		want  []string // of each finding, in their order: part of the problem or of the fix
	}{
		"a Deployment may make no pods": {"control-plane", blocked(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue), []string{"available: the quota is used up"}},
		"a Deployment comes no further": {"control-plane", blocked(appsv1.DeploymentProgressing, corev1.ConditionFalse), []string{"available: the quota is used up"}},
		"a Deployment goes on":          {"control-plane", blocked(appsv1.DeploymentProgressing, corev1.ConditionTrue), []string{"none of 2 replicas is available"}},
		"several ports of several pods": {"ports", both(undeclared("b", 9090, 8080), undeclared("a", 8080)), []string{"port 8080", "port 8080", "port 9090"}},
		"many pods are named in part":   {"pods", uninjected, []string{"and 2 more"}},
		"a value of what Argo CD manages": {"reachability", func(w *world) {
			w.Keeper = "Argo CD's Application east: change its version or values there"
			w.Calls = []Call{{Service: "osm-injector", Asked: "a pod in namespace books", Problem: "remote error: tls: certificate required"}}
		}, []string{"set the value osm.webhooks.verifyClient=false (have what manages the mesh apply it again: Argo CD's Application east: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.plant(w)
			for _, c := range Run(w.Snapshot).Checks {
				if c.Name != test.check {
					continue
				}
				if len(c.Findings) != len(test.want) {
					t.Fatalf("found %+v, want %d", c.Findings, len(test.want))
				}
				for i, f := range c.Findings {
					if !strings.Contains(f.Problem+"\n"+f.Fix, test.want[i]) {
						t.Errorf("found %+v, want %q", f, test.want[i])
					}
				}
			}
		})
	}
}
