package integration

import (
	"context"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/tokens"
)

// TestSDSAttestsWhatTheAPIServerAccepts has the API server give tokens up, and
// holds SDS to it: for new streams, and for one that is open.
func TestSDSAttestsWhatTheAPIServerAccepts(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	buyer := deploy(t, client, "bookbuyer", "bookbuyer")
	maker := tokens.New(t, c)
	stubs := connect(t, c, client)
	presenting := func(token string) context.Context {
		return metadata.AppendToOutgoingContext(testkit.Context(t, time.Minute), "authorization", "Bearer "+token)
	}
	code := func(token string) codes.Code {
		return status.Code(askSotW(t, presenting(token), stubs, "default", secretType))
	}
	own := maker.Of(t, buyer, sds.Audience)
	issuedBy := func(issuer string) string {
		return maker.Change(t, own, func(claims map[string]any) { claims["iss"] = issuer })
	}
	for what, test := range map[string]struct {
		token string
		want  codes.Code
	}{
		"the first issuer":                {own, codes.OK},
		"another issuer that it accepts":  {issuedBy(cluster.FormerIssuer), codes.OK},
		"an issuer that it doesn't have":  {issuedBy("https://elsewhere.example"), codes.Unauthenticated},
		"a former issuer, by another key": {maker.Forged(t, issuedBy(cluster.FormerIssuer)), codes.Unauthenticated},
	} {
		if got := code(test.token); got != test.want {
			t.Errorf("a token of %s: %s, want %s", what, got, test.want)
		}
	}

	t.Run("a service account that is made anew", func(t *testing.T) {
		stream, err := stubs.StreamSecrets(presenting(own))
		if err != nil {
			t.Fatal(err)
		}
		exchangeSotW(t, stream, &discoveryv3.DiscoveryRequest{ResourceNames: []string{"default"}})
		accounts := client.CoreV1().ServiceAccounts("bookbuyer")
		if err := accounts.Delete(t.Context(), "bookbuyer", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "bookbuyer"}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
			t.Errorf("its open stream ended with %v", err)
		}
		if got := code(own); got != codes.PermissionDenied {
			t.Errorf("its token: %s", got)
		}
		if got := code(maker.Of(t, buyer, sds.Audience)); got != codes.OK {
			t.Errorf("a token of the new one: %s", got)
		}
	})

	t.Run("a pod that its node does not end", func(t *testing.T) {
		own, pods := maker.Of(t, buyer, sds.Audience), client.CoreV1().Pods("bookbuyer")
		held := []byte(`{"metadata":{"finalizers":["example.org/held"]}}`)
		if _, err := pods.Patch(t.Context(), buyer.Name, types.MergePatchType, held, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		stream, err := stubs.StreamSecrets(presenting(own))
		if err != nil {
			t.Fatal(err)
		}
		exchangeSotW(t, stream, &discoveryv3.DiscoveryRequest{ResourceNames: []string{"default"}})
		grace := int64(1)
		if err := pods.Delete(t.Context(), buyer.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
			t.Errorf("its open stream ended with %v", err)
		}
		if got := code(own); got != codes.PermissionDenied {
			t.Errorf("its token: %s", got)
		}
		if _, err := pods.Get(t.Context(), buyer.Name, metav1.GetOptions{}); err != nil {
			t.Errorf("the pod is there no more: %v", err)
		}
	})
}
