package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/sidecar"
)

const tokenLife = time.Hour

// ProxyOptions returns what a sidecar of this process needs to stand in for that
// of an injected pod: the pod's own bootstrap config, a token that is bound to
// the pod, the trust bundle of its namespace, and its addresses. The listeners
// are opened on the loopback address that the cluster leads the pod's to, which
// is IPv4.
func ProxyOptions(c *cluster.Cluster, client kubernetes.Interface, pod *corev1.Pod, logger *slog.Logger) (sidecar.Options, error) {
	bootstrap, err := injector.ParseBootstrap([]byte(pod.Annotations[injector.BootstrapAnnotation]))
	if err != nil {
		return sidecar.Options{}, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	bootstrap.Interception = injector.NoInterception // no rule of a kernel leads anything to this process
	return sidecar.Options{
		Bootstrap: bootstrap,
		Dial:      func(ctx context.Context, address string) (net.Conn, error) { return c.Dial(ctx, "tcp", address) },
		Listen:    func(address string) (net.Listener, error) { return listen(pod, address) },
		ReadFile: func(name string) ([]byte, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return mounted(ctx, c, client, pod, name)
		},
		Logger: logger,
	}, nil
}

// mounted returns what the kubelet would have written to the file.
func mounted(ctx context.Context, c *cluster.Cluster, client kubernetes.Interface, pod *corev1.Pod, name string) ([]byte, error) {
	switch path.Base(name) {
	case "token":
		token, err := c.PodToken(ctx, pod.Namespace, pod.Name, sds.Audience, tokenLife)
		return []byte(token), err
	case rotation.BundleKey:
		cm, err := client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, rotation.ConfigMapName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return []byte(cm.Data[rotation.BundleKey]), nil
	}
	return nil, fmt.Errorf("%s is not mounted into a sidecar", name)
}

func listen(pod *corev1.Pod, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRNOTAVAIL)
	}
	return net.Listen("tcp", net.JoinHostPort("127."+strings.TrimPrefix(pod.Status.PodIP, "10."), port))
}
