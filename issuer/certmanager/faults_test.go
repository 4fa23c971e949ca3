package certmanager_test

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	cm "github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/testkit"
)

// hurried is how long these tests wait for an answer that never comes.
const hurried = 500 * time.Millisecond

func TestAnIssuerThatCannotSignIsToldApart(t *testing.T) {
	m := newMesh(t)
	m.createIssuer(t, "empty", map[string]any{"ca": map[string]any{"secretName": "missing"}})
	m.createIssuer(t, "self-signed", map[string]any{"selfSigned": map[string]any{}})
	m.awaitReady(t, "self-signed")
	m.createIssuer(t, "acme", map[string]any{"acme": map[string]any{
		"server": "https://acme.example", "privateKeySecretRef": map[string]any{"name": "acme"},
	}})
	tests := map[string]struct {
		reference certmanager.Reference
		reason    certmanager.Reason
		says      []string
	}{
		"it is not there": {certmanager.Reference{Name: "unheard-of"}, certmanager.IssuerNotFound,
			[]string{`there is no Issuer.cert-manager.io "unheard-of" in namespace ` + m.namespace, "kubectl get issuers.cert-manager.io,clusterissuers.cert-manager.io -n " + m.namespace}},
		"its CA secret is missing": {certmanager.Reference{Name: "empty"}, certmanager.IssuerNotReady, []string{"is not ready"}},
		"it is of ACME":            {certmanager.Reference{Name: "acme"}, certmanager.IssuerRefused, []string{"ACME"}},
		"it is self-signed":        {certmanager.Reference{Name: "self-signed"}, certmanager.IssuerRefused, []string{"would sign each certificate with its own key", "of type CA"}},
		"it is of a group that has no controller": {certmanager.Reference{Name: "osm-ca", Kind: "StepIssuer", Group: "certmanager.step.sm"},
			certmanager.Pending, []string{`no controller signs for StepIssuer.certmanager.step.sm "osm-ca"`, "within 500ms"}},
		"it is a ClusterIssuer that may not be read, and is not there": {certmanager.Reference{Name: "osm-ca", Kind: "ClusterIssuer"},
			certmanager.Pending, []string{`ClusterIssuer.cert-manager.io "osm-ca" has not signed yet`, "not found"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i := m.newIssuer(t, func(o *certmanager.Options) { o.Issuer, o.Timeout = test.reference, hurried })
			_, err := i.Issue(t.Context(), newRequest(t), time.Hour)
			expectReason(t, err, test.reason, test.says...)
			m.expectNothingLeft(t)
		})
	}
}

func TestAClusterIssuerSigns(t *testing.T) {
	m := newMesh(t)
	i := m.newIssuer(t, func(o *certmanager.Options) {
		o.Issuer.Kind = "ClusterIssuer"
		o.Issuer.Name = m.createClusterIssuer(t)
	})
	chain, err := i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
	must(t, chain[0].CheckSignatureFrom(m.root))
	m.expectNothingLeft(t)
}

func TestADeniedRequestIsDistinguished(t *testing.T) {
	m := newMesh(t)
	stopControllers(t)
	startControllers(t, cm.Options{NoApproval: true})
	t.Run("no one approves it", func(t *testing.T) {
		i := m.newIssuer(t, func(o *certmanager.Options) { o.Timeout = hurried })
		_, err := i.Issue(t.Context(), newRequest(t), time.Hour)
		expectReason(t, err, certmanager.NotApproved, "no approver has approved the request within 500ms", "automatic approval is off")
	})
	t.Run("it is denied", func(t *testing.T) {
		issued := m.issueLater(t, t.Context())
		request := m.awaitRequest(t)
		m.decide(t, request, "Denied", "not in this cluster")
		expectReason(t, <-issued, certmanager.Denied, `"not in this cluster"`)
	})
	t.Run("it is deleted", func(t *testing.T) {
		issued := m.issueLater(t, t.Context())
		request := m.awaitRequest(t)
		must(t, m.requests().Delete(t.Context(), request.GetName(), metav1.DeleteOptions{}))
		expectReason(t, <-issued, certmanager.Removed, request.GetName())
	})
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		issued := m.issueLater(t, ctx)
		m.awaitRequest(t)
		cancel()
		if err := <-issued; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("it is approved", func(t *testing.T) {
		issued := m.issueLater(t, t.Context())
		m.decide(t, m.awaitRequest(t), "Approved", "it may")
		must(t, <-issued)
	})
	m.expectNothingLeft(t)
}

func TestCertManagerThatStopsAndComesBack(t *testing.T) {
	m := newMesh(t)
	i, short := m.newIssuer(t, nil), m.newIssuer(t, func(o *certmanager.Options) { o.Timeout = hurried })
	_, err := i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
	stopControllers(t)
	_, err = short.Issue(t.Context(), newRequest(t), time.Hour)
	expectReason(t, err, certmanager.NotApproved, "see that cert-manager runs")
	m.expectNothingLeft(t)
	startControllers(t, cm.Options{})
	_, err = i.Issue(t.Context(), newRequest(t), time.Hour)
	must(t, err)
	m.expectNothingLeft(t)
}

func TestRightsThatAreMissingAreNamed(t *testing.T) {
	m := newMesh(t)
	i := m.newIssuer(t, func(o *certmanager.Options) {
		var err error
		o.Client, err = certmanager.NewClient(m.as("another"))
		must(t, err)
	})
	_, err := i.Issue(t.Context(), newRequest(t), time.Hour)
	expectReason(t, err, certmanager.Forbidden, "allow create, list, watch and delete of certificaterequests.cert-manager.io in namespace "+m.namespace)
}

func TestCertManagerThatIsInstalledLater(t *testing.T) {
	stopControllers(t)
	t.Cleanup(func() { must(t, cm.Install(context.Background(), config)) })
	must(t, cm.Uninstall(t.Context(), config))
	m := &mesh{namespace: "default"}
	i := m.newIssuer(t, func(o *certmanager.Options) {
		root, _, err := tresor.NewRoot()
		must(t, err)
		roots := trustbundle.New(root)
		o.Roots = func(context.Context) (trustbundle.TrustBundle, error) { return roots, nil }
		o.Client, err = certmanager.NewClient(config)
		must(t, err)
	})
	awaitReason(t, i, certmanager.NotInstalled)
	must(t, cm.Install(t.Context(), config))
	awaitReason(t, i, certmanager.IssuerNotFound)
}

// awaitReason waits for the API server, which forgets a resource and learns of
// one a little later than it says.
func awaitReason(t *testing.T, i *certmanager.Issuer, reason certmanager.Reason) {
	t.Helper()
	testkit.Condition(t, string(reason), func(ctx context.Context) (bool, error) {
		_, err := i.Issue(ctx, newRequest(t), time.Hour)
		var failure *certmanager.Error
		return errors.As(err, &failure) && failure.Reason == reason, nil
	})
}

// issueLater issues in the background, and returns where the error comes.
func (m *mesh) issueLater(t *testing.T, ctx context.Context) <-chan error {
	t.Helper()
	i, req := m.newIssuer(t, nil), newRequest(t)
	issued := make(chan error, 1)
	go func() {
		_, err := i.Issue(ctx, req, time.Hour)
		issued <- err
	}()
	return issued
}

// awaitRequest returns the only request, once it is there.
func (m *mesh) awaitRequest(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	var request *unstructured.Unstructured
	testkit.Condition(t, "a request", func(ctx context.Context) (bool, error) {
		list, err := m.requests().List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			return false, err
		}
		request = &list.Items[0]
		return true, nil
	})
	return request
}

// decide does what an approver does.
func (m *mesh) decide(t *testing.T, request *unstructured.Unstructured, kind, message string) {
	t.Helper()
	must(t, unstructured.SetNestedSlice(request.Object, []any{map[string]any{
		"type": kind, "status": "True", "reason": "Policy", "message": message,
	}}, "status", "conditions"))
	_, err := m.requests().UpdateStatus(t.Context(), request, metav1.UpdateOptions{})
	must(t, err)
}
