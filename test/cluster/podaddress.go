package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// podAddresses hands out the addresses of pods. All clusters of a machine have the same loopback, where a process of a pod
// listens: each cluster has a share of podRange that no other has.
type podAddresses struct {
	share net.Listener

	mu    sync.Mutex
	first netip.Addr
	next  int
	used  map[netip.Addr]bool
}

// There are 16 shares of 4096 addresses.
const (
	podShares     = 16
	podsPerShare  = 1 << 16 / podShares
	podShareClaim = "@osm/test/cluster/pods/%d"
)

// newPodAddresses claims a share with an abstract Unix socket (unix(7)): it belongs to a network namespace, as the loopback
// addresses do, and the kernel frees it with the process.
func newPodAddresses() (*podAddresses, error) {
	for i := range podShares {
		claim, err := net.Listen("unix", fmt.Sprintf(podShareClaim, i))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claiming a share of the pod addresses: %w", err)
		}
		first := netip.AddrFrom4([4]byte{10, 244, byte(i * podsPerShare >> 8), 0})
		return &podAddresses{share: claim, first: first, used: map[netip.Addr]bool{}}, nil
	}
	return nil, fmt.Errorf("all %d shares of the pod addresses are in use: end another cluster first", podShares)
}

// take returns the address that has been free for longest: connections to the last one that had it have ended by then.
func (a *podAddresses) take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range podsPerShare {
		a.next = (a.next + 1) % podsPerShare
		first := a.first.As4()
		address := netip.AddrFrom4([4]byte{first[0], first[1], first[2] + byte(a.next>>8), byte(a.next)})
		if last := byte(a.next); last != 0 && last != 255 && !a.used[address] {
			a.used[address] = true
			return address, nil
		}
	}
	return netip.Addr{}, errors.New("all pod addresses are in use")
}

func (a *podAddresses) release(address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, address)
}

func (a *podAddresses) close() error { return a.share.Close() }

// loopback is where a pod's processes really listen: 10.244.x.y becomes 127.244.x.y, which is this machine (RFC 1122,
// section 3.2.1.3). Other addresses stay as they are.
func loopback(pod netip.Addr) netip.Addr {
	if !netip.MustParsePrefix(podRange).Contains(pod) {
		return pod
	}
	b := pod.As4()
	return netip.AddrFrom4([4]byte{127, b[1], b[2], b[3]})
}
