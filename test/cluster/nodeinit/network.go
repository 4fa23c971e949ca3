package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bridge is the interface that has the node's address. A bridge without ports serves as well as a dummy interface, which
// not every kernel has, and pods need no bridge themselves.
const bridge = "node0"

// prepareNetwork gives the node its address in a network that holds all addresses of the cluster. Those of Services then
// have a route, which the kernel wants before it rewrites them (nft(8), hook output), and everything else has none.
func prepareNetwork(prefix netip.Prefix) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := addBridge(fd); err != nil {
		return fmt.Errorf("add bridge %s: %w", bridge, err)
	}
	mask := net.CIDRMask(prefix.Bits(), 32)
	if err := errors.Join(
		setAddress(fd, unix.SIOCSIFADDR, prefix.Addr().AsSlice()),
		setAddress(fd, unix.SIOCSIFNETMASK, mask),
		up(fd, bridge),
		up(fd, "lo"),
	); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

func addBridge(fd int) error {
	name, err := unix.BytePtrFromString(bridge)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCBRADDBR, uintptr(unsafe.Pointer(name))); errno != 0 {
		return errno
	}
	return nil
}

func setAddress(fd int, request uint, value []byte) error {
	ifreq, err := unix.NewIfreq(bridge)
	if err != nil {
		return err
	}
	if err := ifreq.SetInet4Addr(value); err != nil {
		return fmt.Errorf("%v: want an IPv4 address: %w", value, err)
	}
	if err := unix.IoctlIfreq(fd, request, ifreq); err != nil {
		return fmt.Errorf("set address %v of %s: %w", value, bridge, err)
	}
	return nil
}

func up(fd int, name string) error {
	ifreq, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}
