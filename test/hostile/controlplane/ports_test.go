//go:build hostile

package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1lister "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/sds/destination"
	"github.com/osm-edge/osm/test/attack"
)

// TestWhichPortsAreHTTPIsNotForOthersToSay has others than its own namespace
// declare ports of a pod, over a real stream of SDS.
func TestWhichPortsAreHTTPIsNotForOthersToSay(t *testing.T) {
	ports, stubs := portsServer(t)
	victim := portsOf(t.Context(), t, stubs, "shop/store-0")
	if first, err := victim(time.Minute); err != nil || first != "" {
		t.Fatalf("told %q, %v", first, err)
	}
	// silent is how an attack fails: nothing is pushed, and what is asked anew is
	// what was told before.
	silent := func(want string) (string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if got, err := portsOf(ctx, t, stubs, "shop/store-0")(time.Minute); err != nil || got != want {
			return "", fmt.Errorf("the ports became %q, %w", got, err)
		}
		return fmt.Sprintf("the ports are %q still", want), nil
	}

	attack.Works(t, "ports", "a Service of the pod's namespace declares a port HTTP", func(t *testing.T) (string, error) {
		start := time.Now()
		ports.SetEndpointSlice(declaringSlice("shop", "store", "10.0.0.1", "", 8080))
		got, err := victim(time.Minute)
		if err == nil && got != "8080" {
			err = fmt.Errorf("told %q", got)
		}
		return fmt.Sprintf("pushed after %v", time.Since(start).Round(time.Millisecond)), err
	})
	attack.Refused(t, "ports", "a Service of another namespace declares the pod's database HTTP", func(*testing.T) (string, error) {
		ports.SetEndpointSlice(declaringSlice("evil", "store", "10.0.0.1", "", 5432))
		ports.SetEndpointSlice(declaringSlice("evil", "named", "10.0.0.1", "store-0", 5432))
		return silent("8080")
	})
	attack.Refused(t, "ports", "a pod that claims the pod's address has its own Service declare", func(*testing.T) (string, error) {
		ports.SetEndpointSlice(declaringSlice("shop", "thief", "10.0.0.1", "thief-0", 5432))
		return silent("8080")
	})
	attack.Refused(t, "ports", "another namespace takes the declaration back", func(*testing.T) (string, error) {
		ports.DeleteEndpointSlice(declaringSlice("evil", "store", "10.0.0.1", "", 0))
		ports.SetEndpointSlice(declaringSlice("evil", "store", "10.0.0.1", "store-0", 0))
		return silent("8080")
	})
	attack.Refused(t, "ports", "1,000 Services of another namespace have the pod's address", func(*testing.T) (string, error) {
		for i := range 1000 {
			ports.SetEndpointSlice(declaringSlice("evil", fmt.Sprintf("s-%d", i), "10.0.0.1", "", int32(1+i)))
		}
		return silent("8080")
	})
	attack.Refused(t, "ports", "a sidecar asks for the ports of another pod", func(t *testing.T) (string, error) {
		for _, name := range []string{"http-ports:shop/store-0", "http-ports/shop/store-0", "http-ports shop/store-0"} {
			if err := asking(t, stubs, "evil/thief-0", name); status.Code(err) != codes.InvalidArgument {
				return "", fmt.Errorf("%s: %w", name, err)
			}
		}
		got, err := portsOf(t.Context(), t, stubs, "evil/thief-0")(time.Minute)
		if err == nil && got != "" {
			err = fmt.Errorf("told %q", got)
		}
		return "there is no such name, and its own are none", err
	})
	attack.Works(t, "ports", "the Service goes, and so does what it declares", func(*testing.T) (string, error) {
		ports.DeleteEndpointSlice(declaringSlice("shop", "store", "10.0.0.1", "", 0))
		got, err := victim(time.Minute)
		if err == nil && got != "" {
			err = fmt.Errorf("told %q", got)
		}
		return "none is pushed", err
	})
}

// declaringSlice has an address of a pod, and says HTTP of a port; of none when
// it is 0.
func declaringSlice(namespace, service, address, pod string, port int32) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{address}}},
		Ports:      []discoveryv1.EndpointPort{{Port: &port, AppProtocol: new("http")}},
	}
	if pod != "" {
		s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: pod}
	}
	return s
}

// podIsToken takes the token for the name of a pod: who a proxy is, is attacked
// elsewhere.
type podIsToken struct{}

func (podIsToken) Attest(_ context.Context, token string) (sds.Proxy, error) {
	namespace, pod, _ := strings.Cut(token, "/")
	id, err := identity.New("cluster.local", namespace, "default")
	return sds.Proxy{Identity: id, Namespace: namespace, PodName: pod, PodUID: types.UID(token)}, err
}

func (podIsToken) Current(context.Context, sds.Proxy) error { return nil }

// portsServer serves SDS over TLS for the pods shop/store-0 and evil/thief-0.
func portsServer(t *testing.T) (*destination.Ports, secretv3.SecretDiscoveryServiceClient) {
	t.Helper()
	pods := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for name, address := range map[string]string{"shop/store-0": "10.0.0.1", "evil/thief-0": "10.0.0.2"} {
		namespace, pod, _ := strings.Cut(name, "/")
		if err := pods.Add(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: address}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	ports := destination.NewPorts(corev1lister.NewPodLister(pods))
	manager := issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)})
	root, key, err1 := tresor.NewRoot()
	ca, err2 := tresor.New(root, key)
	self, err3 := identity.New("cluster.local", "osm-system", "osm-controller")
	listener, err4 := net.Listen("tcp", "127.0.0.1:0")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	issuertest.Trust(t, manager, "root", ca)
	server, err := sds.New(sds.Options{
		Listener: listener, Source: manager, Attestor: podIsToken{}, HTTPPorts: ports,
		GetCertificate: issuertest.Serving(manager, self), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for _, run := range []func(context.Context) error{manager.Run, server.Run} {
		go func() { ended <- run(ctx) }()
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: self.CommonName(), RootCAs: trustbundle.New(root).Pool()}
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := conn.Close()
		cancel()
		if err := errors.Join(err, <-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	return ports, secretv3.NewSecretDiscoveryServiceClient(conn)
}

// portsOf returns what waits for the next answer on a stream that asks for a
// pod's http-ports.
func portsOf(ctx context.Context, t *testing.T, stubs secretv3.SecretDiscoveryServiceClient, pod string) func(time.Duration) (string, error) {
	t.Helper()
	answers := make(chan string, 16)
	stream, err := stubs.StreamSecrets(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+pod))
	if err == nil {
		err = stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"http-ports"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			response, err := stream.Recv()
			if err != nil {
				return
			}
			var secret tlsv3.Secret
			if len(response.Resources) == 1 && response.Resources[0].UnmarshalTo(&secret) == nil {
				answers <- secret.GetGenericSecret().GetSecret().GetInlineString()
			}
		}
	}()
	return func(within time.Duration) (string, error) {
		select {
		case answer := <-answers:
			return answer, nil
		case <-time.After(within):
			return "", errors.New("no answer")
		}
	}
}

// asking returns how a stream ends that asks for a name.
func asking(t *testing.T, stubs secretv3.SecretDiscoveryServiceClient, pod, name string) error {
	t.Helper()
	stream, err := stubs.StreamSecrets(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+pod))
	if err != nil {
		return err
	}
	if err := stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: []string{name}}); err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}
