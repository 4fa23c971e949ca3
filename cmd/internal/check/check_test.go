package check

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/testkit"
)

const day = 24 * time.Hour

func now() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

func TestWhatIsNotThereIsFoundAndNothingPanics(t *testing.T) {
	s := &Snapshot{Mesh: "osm", Namespace: "osm-system", Now: now()}
	report := Run(s)
	if report.Errors < 10 || !reflect.DeepEqual(report, Run(s)) {
		t.Errorf("%d errors of a mesh of nothing: %+v", report.Errors, report)
	}
	for _, c := range report.Checks {
		for _, f := range c.Findings {
			if f.Object == "" || f.Problem == "" || f.Fix == "" {
				t.Errorf("%s: %+v says too little", c.Name, f)
			}
		}
	}
}

func TestSituationsThatTakeTime(t *testing.T) {
	root := testkit.Root(t, now().Add(-day), now().AddDate(10, 0, 0))
	lead := func(renewed time.Time) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Deployments = map[string]*appsv1.Deployment{"osm-controller": {Status: appsv1.DeploymentStatus{AvailableReplicas: 1}}}
			s.Lease = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: new("osm-controller-1"), RenewTime: &metav1.MicroTime{Time: renewed}}}
		}
	}
	tests := map[string]struct {
		check    string
		prepare  func(*Snapshot)
		severity Severity // none: nothing is found
		problem  string
	}{
		"the root has years left":             {"root", record(root, ""), "", ""},
		"the root ends in two months":         {"root", record(testkit.Root(t, now().AddDate(-10, 0, 0), now().Add(60*day)), ""), Warning, "expires in 60 days"},
		"the root ends in a week":             {"root", record(testkit.Root(t, now().AddDate(-10, 0, 0), now().Add(7*day)), ""), Error, "expires in 7 days"},
		"the root has ended":                  {"root", record(testkit.Root(t, now().AddDate(-10, 0, 0), now().Add(-time.Hour)), ""), Error, "expired at"},
		"a root of a day has half a day left": {"root", record(testkit.Root(t, now().Add(-day/2), now().Add(day/2)), ""), "", ""},

		"Vault is asked over https":             {"root", vaultRoot("https://vault:8200", "Reached"), "", ""},
		"Vault is asked over http":              {"root", vaultRoot("HTTP://vault:8200", "Reached"), Warning, "asked over http"},
		"someone has put a root beside Vault's": {"root", vaultRoot("https://vault:8200", v1.ReasonRootsRefused), Warning, "of someone"},

		"a root is distributed":             {"rotation", record(root, "distribute", 10*time.Second, "books/a"), "", ""},
		"pods are late":                     {"rotation", record(root, "distribute", time.Minute, "books/a"), Warning, "missing: books/a"},
		"no pod is late":                    {"rotation", record(root, "distribute", time.Minute), "", ""},
		"a root is distributed for hours":   {"rotation", record(root, "distribute", 3*time.Hour), Error, "does not sign yet"},
		"certificates are replaced":         {"rotation", record(root, "sign", time.Minute), "", ""},
		"certificates stay":                 {"rotation", record(root, "sign", time.Hour), Warning, "certificate"},
		"the former root retires for a day": {"rotation", record(root, "retire", 23*time.Hour), "", ""},

		"clocks agree":             {"clocks", skew(3 * time.Second), "", ""},
		"the server's is ahead":    {"clocks", skew(2 * time.Minute), Warning, "2m0s ahead of"},
		"the server's is behind":   {"clocks", skew(-6 * time.Minute), Error, "6m0s behind"},
		"the server does not tell": {"clocks", func(s *Snapshot) { s.ServerTime = time.Time{} }, "", ""},

		"an osm-controller leads":          {"control-plane", lead(now().Add(-3 * time.Second)), "", ""},
		"the one that led is gone":         {"control-plane", lead(now().Add(-time.Minute)), Warning, "has not renewed it for 1m0s"},
		"the clock of the leader is wrong": {"control-plane", lead(now().Add(time.Minute)), Warning, "1m0s ahead of the API server's"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &Snapshot{Mesh: "osm", Namespace: "osm-system", Now: now(), ServerTime: now()}
			test.prepare(s)
			var found []Finding
			for _, c := range Run(s).Checks {
				if c.Name == test.check {
					found = c.Findings
				}
			}
			found = of(found, "root ", "MeshRootCertificate", "ConfigMap", "API server", "Lease", "Pod ")
			if test.severity == "" {
				if len(found) > 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Severity != test.severity || !strings.Contains(found[0].Problem, test.problem) {
				t.Errorf("found %+v, want one of severity %s with %q", found, test.severity, test.problem)
			}
		})
	}
}

// of leaves out what is found of other objects, which these snapshots lack.
func of(findings []Finding, objects ...string) (all []Finding) {
	for _, f := range findings {
		for _, object := range objects {
			if strings.HasPrefix(f.Object, object) {
				all = append(all, f)
			}
		}
	}
	return all
}

func skew(by time.Duration) func(*Snapshot) {
	return func(s *Snapshot) { s.ServerTime = s.Now.Add(by) }
}

// vaultRoot has one of Vault be Ready for a reason.
func vaultRoot(address, reason string) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Roots = []v1.MeshRootCertificate{{
			ObjectMeta: metav1.ObjectMeta{Name: "vault"},
			Spec:       v1.MeshRootCertificateSpec{Role: v1.Active, Provider: v1.Provider{Vault: &v1.Vault{Address: address}}},
			Status: v1.MeshRootCertificateStatus{Conditions: []metav1.Condition{{
				Type: v1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: "not trusted: CN=of someone",
			}}},
		}}
	}
}

// record has one root sign, at a step that has lasted and that pods are missing at.
func record(root *x509.Certificate, step string, details ...any) func(*Snapshot) {
	return func(s *Snapshot) {
		lasts, missing := time.Duration(0), []string(nil)
		for _, detail := range details {
			switch d := detail.(type) {
			case time.Duration:
				lasts = d
			case string:
				missing = append(missing, d)
			}
		}
		sum := sha256.Sum256(root.Raw)
		id := hex.EncodeToString(sum[:])
		s.Record = &corev1.ConfigMap{Data: map[string]string{
			rotation.BundleKey: string(trustbundle.New(root).PEM()),
			"rotation.json": fmt.Sprintf(`{"step":%q,"since":%q,"signing":[%q],"roots":{%q:{"distributed":%q,"cleared":%q}}}`,
				step, s.Now.Add(-lasts).Format(time.RFC3339), id, id, s.Now.Format(time.RFC3339), s.Now.Format(time.RFC3339)),
		}}
		if step != "" {
			s.Roots = []v1.MeshRootCertificate{{ObjectMeta: metav1.ObjectMeta{Name: "root"}, Spec: v1.MeshRootCertificateSpec{Role: v1.Inactive}, Status: v1.MeshRootCertificateStatus{
				Rotation: &v1.RotationStatus{Step: step, Pods: 3, Acknowledged: 2, Missing: missing, Certificates: 4, Replaced: 1},
			}}}
		}
	}
}
