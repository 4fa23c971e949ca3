package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/osm-edge/osm/injector"
)

const (
	// maxProbeAnswer is how many bytes of an answer the kubelet reads.
	maxProbeAnswer = 10 << 10
	// maxRedirects is how many it follows.
	maxRedirects = 10
)

// probeHTTP asks the application as the kubelet would, and answers as the
// application does: not at all, if that does not.
func (s *Sidecar) probeHTTP(ctx context.Context, w http.ResponseWriter, r *http.Request, probe injector.Probe, target netip.AddrPort) {
	client := &http.Client{Transport: s.probeTransport(target.Addr()), CheckRedirect: followWithin}
	response, err := client.Do(probeRequest(ctx, r, probe, target))
	if err != nil {
		s.options.Logger.Info("an application does not answer the kubelet", "path", probe.Path, "error", err)
		panic(http.ErrAbortHandler) // which is how net/http has a connection ended
	}
	defer response.Body.Close() // nothing is lost with it
	code := response.StatusCode
	if code >= 300 && code < 400 {
		code = http.StatusOK // what the kubelet makes of a redirect that it does not follow
	}
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(code)
	if _, err := io.CopyN(w, response.Body, maxProbeAnswer); err != nil && !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler) // half an answer is none
	}
}

// kubeletHeaders are those that the kubelet sends with every probe and hook.
var kubeletHeaders = []string{"Accept", "User-Agent"}

// probeRequest is the kubelet's request as it were without a sidecar. Who else
// asks adds nothing to it: headers of others lead requests elsewhere in some
// servers.
func probeRequest(ctx context.Context, r *http.Request, probe injector.Probe, target netip.AddrPort) *http.Request {
	address, err := url.Parse(probe.TargetPath)
	if err != nil {
		address = &url.URL{Path: probe.TargetPath} // as the kubelet takes it
	}
	address.Scheme, address.Host = string(probe.Kind), target.String()
	request := (&http.Request{Method: http.MethodGet, URL: address, Host: target.String(), Header: http.Header{}}).WithContext(ctx)
	for _, name := range slices.Concat(kubeletHeaders, probe.Headers) {
		if values := r.Header.Values(name); len(values) > 0 && !isPeerHeader(name) {
			request.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if slices.Contains(probe.Headers, "Host") && r.Host != netip.AddrPortFrom(target.Addr(), probe.Port).String() {
		request.Host = r.Host
	}
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", "") // none, not Go's
	}
	return request
}

// followWithin follows redirects to the pod's address, whatever the port, as
// the kubelet's prober does (k8s.io/kubernetes, pkg/probe/http).
func followWithin(next *http.Request, via []*http.Request) error {
	if next.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	return nil
}

// probeTransport reaches ports of the pod and nothing else. It verifies no
// certificate, and is the only one that does not: so Kubernetes defines probes
// by HTTPS ("If scheme field is set to HTTPS, the kubelet sends an HTTPS request
// skipping the certificate verification", Configure Liveness, Readiness and
// Startup Probes). What answers is in the pod itself, and all that is made of it
// is whether it is well.
func (s *Sidecar) probeTransport(pod netip.Addr) *http.Transport {
	return &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2:  true,
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return s.dialApplication(ctx, netip.AddrPortFrom(pod, portOf(address)))
		},
	}
}
