package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"google.golang.org/grpc"
)

// reach has use work with a connection to the SDS server, by the first of its
// addresses where the server itself answers: a name need not be known to the
// pod's DNS, and a network may answer for any name. How use ended is returned,
// or else why no address leads to the server.
func (o Options) reach(ctx context.Context, pushed trustbundle.TrustBundle, use func(context.Context, *grpc.ClientConn) error) error {
	sds := o.Bootstrap.SDS
	var failures []error
	for _, address := range append([]string{sds.Address}, sds.Fallbacks...) {
		proven, err := o.try(ctx, address, pushed, use)
		if proven || ctx.Err() != nil || len(sds.Fallbacks) == 0 {
			return err
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
	}
	return errors.Join(failures...)
}

// try does so at one address, and reports whether the server was there.
func (o Options) try(ctx context.Context, address string, pushed trustbundle.TrustBundle, use func(context.Context, *grpc.ClientConn) error) (bool, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var proven atomic.Bool
	conn, err := o.connect(address, pushed, func() { proven.Store(true) })
	if err != nil {
		return false, err
	}
	defer conn.Close() // nothing is lost with it
	err = use(ctx, conn)
	return proven.Load(), err
}
