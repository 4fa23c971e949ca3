package sidecar

import (
	"context"
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/osm-edge/osm/issuer/trustbundle"

	"google.golang.org/grpc"
)

// Fetch asks once for any secret by name, as the proxy of the bootstrap config,
// and throws the answer away. The error carries the server's gRPC status.
func Fetch(ctx context.Context, o Options, name string) error {
	o = o.withDefaults()
	return o.reach(ctx, trustbundle.TrustBundle{}, func(ctx context.Context, conn *grpc.ClientConn) error {
		stream, err := secretv3.NewSecretDiscoveryServiceClient(conn).StreamSecrets(ctx)
		if err != nil {
			return fmt.Errorf("fetch secret %s: %w", name, err)
		}
		request := &discoveryv3.DiscoveryRequest{Node: o.node(), ResourceNames: []string{name}, TypeUrl: secretType}
		if _, err = exchange(ctx, stream, request, receive(ctx, stream), nil); err != nil {
			return fmt.Errorf("fetch secret %s: %w", name, err)
		}
		return nil
	})
}
