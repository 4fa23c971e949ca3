package integration

import (
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/tokens"
)

// portsStream is a stream that asks for http-ports, in either protocol.
type portsStream func() (content string)

func followSotW(t *testing.T, stubs secretv3.SecretDiscoveryServiceClient, token string) portsStream {
	t.Helper()
	stream, err := stubs.StreamSecrets(metadata.AppendToOutgoingContext(testkit.Context(t, 3*time.Minute), "authorization", "Bearer "+token))
	if err != nil {
		t.Fatal(err)
	}
	request := &discoveryv3.DiscoveryRequest{TypeUrl: secretType, ResourceNames: []string{"http-ports"}}
	return func() string {
		response := exchangeSotW(t, stream, request)
		request.VersionInfo, request.ResponseNonce = response.VersionInfo, response.Nonce
		return portsIn(t, response.Resources[0])
	}
}

func followDelta(t *testing.T, stubs secretv3.SecretDiscoveryServiceClient, token string) portsStream {
	t.Helper()
	stream, err := stubs.DeltaSecrets(metadata.AppendToOutgoingContext(testkit.Context(t, 3*time.Minute), "authorization", "Bearer "+token))
	if err != nil {
		t.Fatal(err)
	}
	request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResourceNamesSubscribe: []string{"http-ports"}}
	return func() string {
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		request = &discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResponseNonce: response.Nonce}
		return portsIn(t, response.Resources[0].Resource)
	}
}

func portsIn(t *testing.T, resource *anypb.Any) string {
	t.Helper()
	var secret tlsv3.Secret
	if err := resource.UnmarshalTo(&secret); err != nil {
		t.Fatal(err)
	}
	if secret.Name != "http-ports" || secret.GetGenericSecret() == nil {
		t.Errorf("got secret %s, %T", secret.Name, secret.Type)
	}
	return secret.GetGenericSecret().GetSecret().GetInlineString()
}

func TestPortsThatServicesDeclareArePushedToTheirPodsAlone(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	store := deployNamed(t, client, "bookstore")
	bootstrap, err := injector.ParseBootstrap([]byte(store.Annotations[injector.BootstrapAnnotation]))
	if err != nil || len(bootstrap.HTTPPorts) != 1 || bootstrap.HTTPPorts[0] != 14001 {
		t.Errorf("the bootstrap declares %v, %v", bootstrap.HTTPPorts, err)
	}
	buyer := deploy(t, client, "bookbuyer", "bookbuyer")
	maker, stubs := tokens.New(t, c), connect(t, c, client)
	own := maker.Of(t, store, sds.Audience)
	streams := map[string]portsStream{
		"StreamSecrets": followSotW(t, stubs, own),
		"DeltaSecrets":  followDelta(t, stubs, own),
	}
	told := func(when, want string) {
		t.Helper()
		for protocol, next := range streams {
			if got := next(); got != want {
				t.Fatalf("%s: %s told %q, want %q", when, protocol, got, want)
			}
		}
	}
	told("at first", "")

	services := client.CoreV1().Services("bookstore")
	service, err := services.Create(t.Context(), serviceOf("bookstore", corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	told("a Service names its port http", "8080")

	// Others may write that the pod is theirs.
	foreign := sliceOf("bookbuyer", store.Status.PodIP, 5432)
	foreign.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: store.Namespace, Name: store.Name, UID: store.UID}
	createSlice(t, client, foreign)
	createSlice(t, client, sliceOf("bookstore", store.Status.PodIP, 9090))
	told("an EndpointSlice of its namespace has it, and one of another", "8080,9090")

	service.Spec.Ports[0].AppProtocol = new("https")
	service.ResourceVersion = ""
	if _, err := services.Update(t.Context(), service, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	told("the Service's appProtocol takes precedence", "9090")
	patch := []byte(`[{"op":"replace","path":"/ports/0/appProtocol","value":"kubernetes.io/wss"}]`)
	if _, err := client.DiscoveryV1().EndpointSlices("bookstore").Patch(t.Context(), "by-hand", types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	told("nothing declares it any more", "")

	if got := followSotW(t, stubs, maker.Of(t, buyer, sds.Audience))(); got != "" {
		t.Errorf("another pod is told %q", got)
	}
}

// deployNamed deploys a pod whose container names its port http.
func deployNamed(t *testing.T, client kubernetes.Interface, name string) *corev1.Pod {
	t.Helper()
	ctx := testkit.Context(t, time.Minute)
	if err := mesh.Join(ctx, client, name); err != nil {
		t.Fatal(err)
	}
	pod, err := mesh.Deploy(ctx, client, name, name, corev1.Container{Image: "example/app:1", Ports: []corev1.ContainerPort{
		{Name: "http", ContainerPort: 14001}, {Name: "web", ContainerPort: 8080},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func serviceOf(name string, ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: ports},
	}
}

// sliceOf is an EndpointSlice that is written by hand, for a Service without a
// selector.
func sliceOf(namespace, address string, port int32) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "by-hand", Labels: map[string]string{discoveryv1.LabelServiceName: "by-hand"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("web"), Port: &port, AppProtocol: new("http")}},
	}
}

func createSlice(t *testing.T, client kubernetes.Interface, slice *discoveryv1.EndpointSlice) {
	t.Helper()
	if _, err := client.DiscoveryV1().EndpointSlices(slice.Namespace).Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
