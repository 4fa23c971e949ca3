package interception

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// maxConfigBytes is many times what a Config needs.
const maxConfigBytes = 64 << 10

// Config is what is intercepted in a pod's network namespace, IPv4 and IPv6
// alike. Connections within the pod, over the loopback interface, never are.
type Config struct {
	// UID is the user of the sidecar, whose own connections go straight.
	// It is not root: osm-init and whatever else is root is intercepted.
	UID uint32 `json:"uid"`
	// Inbound connections come from outside of the pod.
	Inbound Inbound `json:"inbound"`
	// Outbound connections are made by the pod.
	Outbound Outbound `json:"outbound"`
	// ExcludeInterfaces are names of network interfaces whose connections are
	// left alone in both directions, such as "net1".
	ExcludeInterfaces []string `json:"excludeInterfaces,omitempty"`
}

// Inbound is what is intercepted of the connections from outside.
type Inbound struct {
	// Port is the sidecar's, which they are led to.
	Port uint16 `json:"port"`
	// ExcludePorts are left alone.
	ExcludePorts []uint16 `json:"excludePorts,omitempty"`
}

// Outbound is what is intercepted of the connections that the pod makes.
type Outbound struct {
	// Port is the sidecar's, which they are led to.
	Port uint16 `json:"port"`
	// ExcludePorts are destinations that are left alone.
	ExcludePorts []uint16 `json:"excludePorts,omitempty"`
	// ExcludeRanges are destinations that are left alone.
	ExcludeRanges []netip.Prefix `json:"excludeRanges,omitempty"`
	// IncludeRanges are the only destinations that are intercepted, if there
	// are any. An excluded range within an included one is left alone.
	IncludeRanges []netip.Prefix `json:"includeRanges,omitempty"`
}

// Parse reads a Config strictly: an unknown field is an error, and so is a value
// that nothing can follow. The error names every field that is wrong.
func Parse(data []byte) (Config, error) {
	if len(data) > maxConfigBytes {
		return Config{}, fmt.Errorf("interception config: %d bytes, at most %d are read", len(data), maxConfigBytes)
	}
	var c Config
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&c)
	if err == nil && decoder.Decode(&struct{}{}) != io.EOF {
		err = errors.New("something follows the JSON object")
	}
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		return Config{}, fmt.Errorf("interception config: %w", err)
	}
	return c, nil
}

// Check tells what keeps c from being followed.
func (c Config) Check() error {
	var problems []error
	if c.UID == 0 {
		problems = append(problems, errors.New("uid: 0 is root, not a sidecar"))
	}
	if c.Inbound.Port == 0 {
		problems = append(problems, errors.New("inbound.port: missing"))
	}
	if c.Outbound.Port == 0 {
		problems = append(problems, errors.New("outbound.port: missing"))
	}
	problems = append(problems,
		checkPorts("inbound.excludePorts", c.Inbound.ExcludePorts),
		checkPorts("outbound.excludePorts", c.Outbound.ExcludePorts),
		checkRanges("outbound.excludeRanges", c.Outbound.ExcludeRanges),
		checkRanges("outbound.includeRanges", c.Outbound.IncludeRanges))
	for _, name := range c.ExcludeInterfaces {
		if err := CheckInterface(name); err != nil {
			problems = append(problems, fmt.Errorf("excludeInterfaces: %q is %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func checkPorts(field string, ports []uint16) error {
	if slices.Contains(ports, 0) {
		return fmt.Errorf("%s: 0 is not a port", field)
	}
	return nil
}

// checkRanges refuses IPv4 addresses in IPv6 form (RFC 4291, section 2.5.5) as
// well: connections to them are IPv4, and no such range would match.
func checkRanges(field string, ranges []netip.Prefix) error {
	for _, r := range ranges {
		if !r.IsValid() || r != r.Masked() || r.Addr().Is4In6() {
			return fmt.Errorf("%s: %s is not a range in its canonical form, such as 10.0.0.0/8", field, r)
		}
	}
	return nil
}

// MaxExclusions is how many entries a list that excludes something may have.
const MaxExclusions = 256

// ParseRange reads a range in CIDR notation and returns it in its canonical form,
// with no bits set beyond its length. IPv4 that is written as IPv6 (RFC 4291, section
// 2.5.5.2) becomes what it is on the wire, where it would match nothing otherwise.
// The error tells what the entry is, and what to write.
func ParseRange(entry string) (netip.Prefix, error) {
	const mapped = 96
	r, err := netip.ParsePrefix(entry)
	if err != nil {
		// A zone may hold anything, even what was meant for a length.
		if addr, err := netip.ParseAddr(entry); err == nil && !strings.Contains(addr.Zone(), "/") {
			addr = addr.Unmap().WithZone("")
			return netip.Prefix{}, fmt.Errorf("an address, not a range: write %s/%d for this address alone", addr, addr.BitLen())
		}
		return netip.Prefix{}, errors.New("not a range: want CIDR notation, such as 10.0.0.0/8 or fd00::/8")
	}
	switch {
	case r.Addr().Is4In6() && r.Bits() < mapped:
		return netip.Prefix{}, errors.New("an IPv4 address with an IPv6 length: write an IPv4 range, such as 10.0.0.0/8")
	case r.Addr().Is4In6():
		r = netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-mapped)
	}
	return r.Masked(), nil
}

// CheckInterface takes the names that Linux takes (dev_valid_name), of ASCII: 1
// to 15 bytes without slash, colon or white space, neither "." nor "..". The error
// tells what the name is.
func CheckInterface(name string) error {
	bad := name == "" || len(name) > 15 || name == "." || name == ".."
	for _, c := range []byte(name) {
		bad = bad || c <= ' ' || c == '/' || c == ':' || c >= 0x7f
	}
	if bad {
		return errors.New("not the name of a network interface: want up to 15 characters without blanks, slashes and colons, such as net1")
	}
	return nil
}
