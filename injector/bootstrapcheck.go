package injector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

// check tells what keeps a sidecar from working with b.
func (b Bootstrap) check() error {
	var problems []error
	report := func(field string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field, err))
		}
	}
	report("mesh", checkPresent(b.Mesh))
	report("proxy", checkProxy(b.Proxy))
	report("logLevel", checkLogLevel(b.LogLevel))
	report("interception", b.Interception.check())
	report("httpPorts", checkHTTPPorts(b.HTTPPorts))
	report("identity", b.checkIdentity())
	report("sds.serverIdentity", b.checkServer())
	report("sds.address", checkAddress(b.SDS.Address))
	for i, address := range b.SDS.Fallbacks {
		report(fmt.Sprintf("sds.fallbacks[%d]", i), checkAddress(address))
	}
	report("sds.tokenFile", checkFile(b.SDS.TokenFile))
	report("sds.caFile", checkFile(b.SDS.CAFile))
	report("inbound.listen", b.Inbound.check())
	report("outbound.listen", b.Outbound.check())
	report("admin.listen", b.Admin.check())
	report("readiness.listen", b.Readiness.check())
	report("metrics.listen", b.Metrics.check())
	for i, probe := range b.Probes {
		report(fmt.Sprintf("probes[%d]", i), probe.check())
	}
	return errors.Join(problems...)
}

// checkIdentity holds the identity against everything that follows from it.
func (b Bootstrap) checkIdentity() error {
	id, err := identity.Parse(b.Identity)
	switch {
	case err != nil:
		return err
	case id.TrustDomain() != b.TrustDomain:
		return fmt.Errorf("%s is not of the trust domain %q", b.Identity, b.TrustDomain)
	case b.SDS.Certificate != mesh.CertificateSecret(id.Namespace(), id.ServiceAccount()):
		return fmt.Errorf("%s has no right to sds.certificate %q", b.Identity, b.SDS.Certificate)
	case b.SDS.Validation != mesh.ValidationSecret(id.Namespace(), id.ServiceAccount()):
		return fmt.Errorf("%s has no right to sds.validation %q", b.Identity, b.SDS.Validation)
	}
	return nil
}

func (b Bootstrap) checkServer() error {
	server, err := identity.Parse(b.SDS.ServerIdentity)
	switch {
	case err != nil:
		return err
	case server.TrustDomain() != b.TrustDomain:
		return fmt.Errorf("%s is not of the trust domain %q", b.SDS.ServerIdentity, b.TrustDomain)
	case b.SDS.ServerName != server.CommonName():
		return fmt.Errorf("%s is not named %q, as sds.serverName says", b.SDS.ServerIdentity, b.SDS.ServerName)
	}
	return nil
}

func checkPresent(value string) error {
	if value == "" {
		return errors.New("missing")
	}
	return nil
}

// checkProxy takes the one canonical form of a UUID, for ids are compared as
// strings.
func checkProxy(proxy string) error {
	if id, err := uuid.Parse(proxy); err != nil || id.String() != proxy {
		return fmt.Errorf("%q is not a UUID in its canonical form", proxy)
	}
	return nil
}

// checkHTTPPorts wants one way to write a list: in order, each once.
func checkHTTPPorts(ports []uint16) error {
	for i, port := range ports {
		switch {
		case port == 0 || i > 0 && port <= ports[i-1]:
			return fmt.Errorf("%v are not ports in ascending order", ports)
		case isSidecarPort(port):
			return fmt.Errorf("port %d is the sidecar's", port)
		}
	}
	return nil
}

func checkFile(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return fmt.Errorf("%q is not an absolute path", name)
	}
	return nil
}

func (l Listener) check() error {
	if len(l.Listen) == 0 {
		return errors.New("missing")
	}
	for _, address := range l.Listen {
		if err := checkListen(address); err != nil {
			return err
		}
	}
	return nil
}

func (p Probe) check() error {
	http := p.Kind == HTTPProbe || p.Kind == HTTPSProbe
	switch {
	case p.Port == 0 || p.Target == 0:
		return errors.New("lacks port or target")
	case !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("path %q does not begin with a slash", p.Path)
	case !http && p.Kind != TCPProbe && p.Kind != GRPCProbe:
		return fmt.Errorf("kind %q is not http, https, tcp or grpc", p.Kind)
	case http != strings.HasPrefix(p.TargetPath, "/"):
		return fmt.Errorf("targetPath %q does not go with kind %s", p.TargetPath, p.Kind)
	case len(p.Headers) > 0 && !http:
		return fmt.Errorf("headers do not go with kind %s", p.Kind)
	case slices.ContainsFunc(p.Headers, func(name string) bool { return !httpguts.ValidHeaderFieldName(name) }):
		return fmt.Errorf("headers: %q is not a list of header names", p.Headers)
	case p.Service != "" && p.Kind != GRPCProbe:
		return fmt.Errorf("service does not go with kind %s", p.Kind)
	case p.TimeoutSeconds < 1:
		return fmt.Errorf("timeoutSeconds %d is not positive", p.TimeoutSeconds)
	}
	return nil
}

func checkListen(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%q: %w", listen, err)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return fmt.Errorf("%q: %w", listen, err)
	}
	return checkPort(listen)
}

// checkPort wants a number: names of ports differ from image to image.
func checkPort(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("%q: port %q is not a number from 1 to 65535", address, port)
	}
	return nil
}
