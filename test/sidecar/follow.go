package sidecar

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// nackDelay keeps the two ends from a loop if the server answers a NACK at
	// once with what was rejected.
	nackDelay = 5 * time.Second
)

// follow keeps a stream to the SDS server until ctx ends. It waits longer after
// each that failed, until one brought something.
func (s *Sidecar) follow(ctx context.Context) {
	delay := firstRetry
	for ctx.Err() == nil {
		updates := s.counters.updates.Load()
		err := s.session(ctx)
		s.counters.connected.Store(false)
		if ctx.Err() != nil {
			return
		}
		brought := s.counters.updates.Load() > updates
		if brought {
			delay = firstRetry
		}
		s.note("the SDS stream ended", err)
		if s.declared.refused(err, brought) {
			continue
		}
		select {
		case <-time.After(delay/2 + rand.N(delay/2)):
		case <-ctx.Done():
		}
		delay = min(2*delay, lastRetry)
	}
}

func (s *Sidecar) note(what string, err error) {
	text := err.Error()
	s.counters.lastError.Store(&text)
	s.options.Logger.Warn(what, "identity", s.options.Bootstrap.Identity, "error", err)
}

// session is one connection with one stream, as long as it lasts.
func (s *Sidecar) session(ctx context.Context) error {
	s.counters.sessions.Add(1)
	return s.options.reach(ctx, s.State().bundle, func(ctx context.Context, conn *grpc.ClientConn) error {
		client := secretv3.NewSecretDiscoveryServiceClient(conn)
		if s.options.Incremental {
			return s.followDelta(ctx, client)
		}
		return s.followAll(ctx, client)
	})
}

// followAll speaks the state-of-the-world protocol: every request has all names.
func (s *Sidecar) followAll(ctx context.Context, client secretv3.SecretDiscoveryServiceClient) error {
	stream, err := client.StreamSecrets(ctx)
	if err != nil {
		return err
	}
	if s.options.Mute {
		stream = &mute[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]{BidiStreamingClient: stream}
	}
	s.counters.connected.Store(true)
	responses := receive(ctx, stream)
	request := &discoveryv3.DiscoveryRequest{Node: s.options.node()}
	nonce := ""
	for {
		request.TypeUrl, request.ResourceNames, request.VersionInfo = secretType, s.names(), s.State().version
		response, err := exchange(ctx, stream, request, responses, s.peers.changed)
		if err != nil {
			return err
		}
		if response != nil {
			nonce = response.GetNonce()
		}
		request = &discoveryv3.DiscoveryRequest{ResponseNonce: nonce}
		if response == nil {
			continue // to ask for another name
		}
		rejection := s.accept(response.GetResources(), response.GetVersionInfo(), nil)
		if request.ErrorDetail, err = reject(ctx, rejection); err != nil {
			return err
		}
	}
}

// followDelta speaks the incremental protocol: requests have the names that are
// new, and those that are not needed any more.
func (s *Sidecar) followDelta(ctx context.Context, client secretv3.SecretDiscoveryServiceClient) error {
	stream, err := client.DeltaSecrets(ctx)
	if err != nil {
		return err
	}
	if s.options.Mute {
		stream = &mute[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]{BidiStreamingClient: stream}
	}
	s.counters.connected.Store(true)
	responses := receive(ctx, stream)
	request := &discoveryv3.DeltaDiscoveryRequest{Node: s.options.node(), InitialResourceVersions: s.State().versions}
	var asked []string
	for {
		names := s.names()
		request.TypeUrl = secretType
		request.ResourceNamesSubscribe, request.ResourceNamesUnsubscribe = without(names, asked), without(asked, names)
		asked = names
		response, err := exchange(ctx, stream, request, responses, s.peers.changed)
		if err != nil {
			return err
		}
		request = &discoveryv3.DeltaDiscoveryRequest{}
		if response == nil {
			continue // to ask for another name
		}
		var resources []*anypb.Any
		versions := map[string]string{}
		for _, resource := range response.GetResources() {
			resources = append(resources, resource.GetResource())
			if name := resource.GetName(); name != httpPortsName && !strings.HasPrefix(name, peersPrefix) {
				versions[resource.GetName()] = resource.GetVersion()
			}
		}
		rejection := s.accept(resources, response.GetSystemVersionInfo(), versions)
		request.ResponseNonce = response.GetNonce()
		if request.ErrorDetail, err = reject(ctx, rejection); err != nil {
			return err
		}
	}
}

// without returns the names that are not among the others.
func without(names, others []string) (rest []string) {
	for _, name := range names {
		if !slices.Contains(others, name) {
			rest = append(rest, name)
		}
	}
	return rest
}

// received is what came of one wait for a response.
type received[Response any] struct {
	response *Response
	err      error
}

// receive reads responses until the stream ends. Why it ended is the last.
func receive[Request, Response any](ctx context.Context, stream grpc.BidiStreamingClient[Request, Response]) <-chan received[Response] {
	responses := make(chan received[Response])
	go func() {
		for {
			response, err := stream.Recv()
			select {
			case responses <- received[Response]{response, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return responses
}

// exchange sends and waits for what comes next; nil means that there are other
// names to ask for. Why a stream ended is said to its reader alone.
func exchange[Request, Response any](ctx context.Context, stream grpc.BidiStreamingClient[Request, Response], r *Request,
	responses <-chan received[Response], names <-chan struct{}) (*Response, error) {
	if err := stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	select {
	case got := <-responses:
		return got.response, got.err
	case <-names:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept takes the resources into the state, all or none.
func (s *Sidecar) accept(resources []*anypb.Any, version string, versions map[string]string) error {
	next, err := s.State().with(s.options.Bootstrap, resources)
	if err == nil {
		err = s.peers.take(resources)
	}
	if err == nil {
		err = s.declared.take(resources)
	}
	if err != nil {
		s.counters.nacks.Add(1)
		s.note("rejected secrets", err)
		return err
	}
	s.counters.updates.Add(1)
	s.replace(next.at(version, versions))
	if leaf := next.Leaf(); leaf != nil {
		s.options.Logger.Info("accepted secrets", "identity", s.options.Bootstrap.Identity,
			"serial", leaf.SerialNumber.Text(16), "notAfter", leaf.NotAfter, "roots", len(next.bundle.Roots()))
	}
	return nil
}

// reject returns the detail of a NACK after a while, none for an ACK.
func reject(ctx context.Context, rejection error) (*statuspb.Status, error) {
	if rejection == nil {
		return nil, nil
	}
	select {
	case <-time.After(nackDelay):
		return &statuspb.Status{Code: int32(codes.InvalidArgument), Message: rejection.Error()}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Sidecar) names() []string {
	sds := s.options.Bootstrap.SDS
	return slices.Concat([]string{sds.Certificate, sds.Validation}, s.declared.names(), s.peers.names())
}

func (o Options) node() *corev3.Node {
	return &corev3.Node{Id: o.Bootstrap.Proxy, Cluster: o.Bootstrap.Mesh, UserAgentName: "osm-reference-sidecar"}
}
