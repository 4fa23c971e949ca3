package mesh

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/cluster"
)

const (
	sdsAddress = "osm-controller." + Namespace + ".svc:15128"
	sdsName    = "osm-controller." + Namespace + ".cluster.local"
)

// DialSDS reaches osm-controller as a sidecar does: by its Service, verified by
// the trust bundle of a namespace.
func DialSDS(ctx context.Context, c *cluster.Cluster, client kubernetes.Interface, namespace string) (*grpc.ClientConn, error) {
	cm, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, rotation.ConfigMapName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	bundle, err := trustbundle.Parse([]byte(cm.Data[rotation.BundleKey]))
	if err != nil {
		return nil, fmt.Errorf("the trust bundle of namespace %s: %w", namespace, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: sdsName, RootCAs: bundle.Pool()}
	return grpc.NewClient("passthrough:///"+sdsAddress, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return c.Dial(ctx, "tcp", address) }))
}
