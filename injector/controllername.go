package injector

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// sdsPort is that of osm-controller's Service.
	sdsPort = 15128
	// usualClusterDomain is what kubeadm and most distributions choose.
	usualClusterDomain = "cluster.local"
)

// sds returns where sidecars find osm-controller. A name with a final dot is
// absolute: no search list of a pod, nor how many dots keep a name from it
// (resolv.conf(5), ndots), has a part in it. Pods differ in these, and a resolver
// such as musl's asks for a name with enough dots as it is, and for nothing else.
// Where the cluster's domain is not known, a pod's own search list may know it.
func (s Settings) sds() (address string, fallbacks []string) {
	service := fmt.Sprintf("osm-controller.%s.svc", s.Namespace)
	address = atSDSPort(service + "." + cmp.Or(s.ClusterDomain, usualClusterDomain) + ".")
	if s.ClusterDomain == "" {
		fallbacks = append(fallbacks, atSDSPort(service))
	}
	for _, ip := range s.ControllerIPs {
		fallbacks = append(fallbacks, atSDSPort(ip.String()))
	}
	return address, slices.Clip(fallbacks)
}

func atSDSPort(host string) string { return net.JoinHostPort(host, strconv.Itoa(sdsPort)) }

func (s Settings) checkClusterDomain() error {
	if s.ClusterDomain == "" {
		return nil
	}
	if err := CheckClusterDomain(s.ClusterDomain); err != nil {
		return fmt.Errorf("cluster domain: %w", err)
	}
	return nil
}

// CheckClusterDomain takes what a kubelet takes for its clusterDomain, in the one
// form without a final dot. It leaves room for the name of a Service below it
// (RFC 1035, section 2.3.4).
func CheckClusterDomain(domain string) error {
	longest := "osm-controller." + strings.Repeat("n", validation.DNS1123LabelMaxLength) + ".svc." + domain
	if len(validation.IsDNS1123Subdomain(domain)) > 0 || len(longest) > validation.DNS1123SubdomainMaxLength {
		return fmt.Errorf("%q: want a DNS domain without a final dot, such as %s", domain, usualClusterDomain)
	}
	return nil
}
