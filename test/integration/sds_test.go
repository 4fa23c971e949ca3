package integration

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/tokens"
)

const (
	secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	ownSecret  = "service-cert:bookbuyer/bookbuyer"
)

func TestSDSProvesWhoAsksBeforeItAnswers(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	buyer := deploy(t, client, "bookbuyer", "bookbuyer")
	store := deploy(t, client, "bookstore", "bookstore-v2")
	plain := deployPlain(t, client)
	maker := tokens.New(t, c)
	stubs := connect(t, c, client)

	own := maker.Of(t, buyer, sds.Audience)
	deleted := ofDeletedPod(t, maker, client, "bookbuyer")
	tests := []struct {
		name   string
		token  string // no metadata when empty
		secret string
		kind   string
		want   codes.Code
	}{
		{"its own certificate", own, ownSecret, secretType, codes.OK},
		{"its own certificate by the alias", own, "default", secretType, codes.OK},
		{"the roots", own, "ROOTCA", secretType, codes.OK},
		{"the roots for a service", own, "root-cert-for-mtls-outbound:bookstore/bookstore", secretType, codes.OK},
		{"no token", "", ownSecret, secretType, codes.Unauthenticated},
		{"garbage for a token", "garbage", ownSecret, secretType, codes.Unauthenticated},
		{"a token for another audience", maker.Of(t, buyer, "vault"), ownSecret, secretType, codes.Unauthenticated},
		{"an expired token", maker.Expired(t, own), ownSecret, secretType, codes.Unauthenticated},
		{"a token that another key signed", maker.Forged(t, own), ownSecret, secretType, codes.Unauthenticated},
		{"a token of a deleted pod", deleted, ownSecret, secretType, codes.PermissionDenied},
		{"a token of a pod without a sidecar", maker.Of(t, plain, sds.Audience), "service-cert:outside/plain", secretType, codes.PermissionDenied},
		{"a token of another service account", maker.Of(t, store, sds.Audience), ownSecret, secretType, codes.PermissionDenied},
		{"a token whose service account is not its pod's", ofOtherAccount(t, maker, own), "service-cert:bookbuyer/admin", secretType, codes.PermissionDenied},
		{"another client's certificate", own, "service-cert:bookstore/bookstore-v2", secretType, codes.PermissionDenied},
		{"an unknown name", own, "everything", secretType, codes.InvalidArgument},
		{"another type", own, ownSecret, "type.googleapis.com/envoy.config.cluster.v3.Cluster", codes.InvalidArgument},
	}
	for _, test := range tests {
		t.Run("with "+test.name, func(t *testing.T) {
			ctx := testkit.Context(t, 20*time.Second)
			if test.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+test.token)
			}
			if got := status.Code(askSotW(t, ctx, stubs, test.secret, test.kind)); got != test.want {
				t.Errorf("StreamSecrets: %s, want %s", got, test.want)
			}
			if got := status.Code(askDelta(t, ctx, stubs, test.secret, test.kind)); got != test.want {
				t.Errorf("DeltaSecrets: %s, want %s", got, test.want)
			}
		})
	}
	t.Run("with a nonce that it was never sent", func(t *testing.T) {
		ctx := metadata.AppendToOutgoingContext(testkit.Context(t, 20*time.Second), "authorization", "Bearer "+own)
		stream, err := stubs.StreamSecrets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		request := &discoveryv3.DiscoveryRequest{TypeUrl: secretType, ResourceNames: []string{ownSecret}}
		response := exchangeSotW(t, stream, request)
		request.VersionInfo, request.ResponseNonce = response.VersionInfo, "never-sent"
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("got %v", err)
		}
	})
}

func exchangeSotW(t *testing.T, stream grpc.BidiStreamingClient[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse], r *discoveryv3.DiscoveryRequest) *discoveryv3.DiscoveryResponse {
	t.Helper()
	if err := stream.Send(r); err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func askSotW(t *testing.T, ctx context.Context, stubs secretv3.SecretDiscoveryServiceClient, secret, kind string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := stubs.StreamSecrets(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&discoveryv3.DiscoveryRequest{TypeUrl: kind, ResourceNames: []string{secret}})
	if err != nil && !errors.Is(err, io.EOF) { // the stream has ended: Recv tells why
		return err
	}
	response, err := stream.Recv()
	if err == nil && len(response.Resources) != 1 {
		t.Errorf("%d resources for one name", len(response.Resources))
	}
	return err
}

func askDelta(t *testing.T, ctx context.Context, stubs secretv3.SecretDiscoveryServiceClient, secret, kind string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := stubs.DeltaSecrets(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: kind, ResourceNamesSubscribe: []string{secret}})
	if err != nil && !errors.Is(err, io.EOF) { // the stream has ended: Recv tells why
		return err
	}
	response, err := stream.Recv()
	if err == nil && (len(response.Resources) != 1 || response.Resources[0].Name != secret) {
		t.Errorf("got resources %v for %s", response.Resources, secret)
	}
	return err
}

// connect reaches osm-controller as a sidecar does.
func connect(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) secretv3.SecretDiscoveryServiceClient {
	t.Helper()
	conn, err := mesh.DialSDS(t.Context(), c, client, "bookbuyer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return secretv3.NewSecretDiscoveryServiceClient(conn)
}

// deploy lets a workload join the mesh in a namespace of its own.
func deploy(t *testing.T, client kubernetes.Interface, namespace, name string) *corev1.Pod {
	t.Helper()
	ctx := testkit.Context(t, time.Minute)
	if err := mesh.Join(ctx, client, namespace); err != nil {
		t.Fatal(err)
	}
	pod, err := mesh.Deploy(ctx, client, namespace, name, corev1.Container{Image: "example/app:1"})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// deployPlain runs a workload outside of the mesh.
func deployPlain(t *testing.T, client kubernetes.Interface) *corev1.Pod {
	t.Helper()
	ctx := testkit.Context(t, time.Minute)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "outside"}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod, err := mesh.Deploy(ctx, client, "outside", "plain", corev1.Container{Image: "example/app:1"})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}
