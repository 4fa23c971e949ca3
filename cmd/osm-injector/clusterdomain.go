package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
)

// resolvConf is where the kubelet tells a pod how to resolve names.
const resolvConf = "/etc/resolv.conf"

// assumeClusterDomain finds out the cluster's domain if the flags do not say it.
func assumeClusterDomain(o *injection.Options, logger *slog.Logger) {
	conf, err := os.ReadFile(resolvConf)
	if err != nil {
		logger.Warn("how names are resolved cannot be read", "error", err)
	}
	o.AssumeClusterDomain(clusterDomain(string(conf), o.Namespace))
	if o.ClusterDomain() == "" {
		logger.Warn("the DNS domain of the cluster is not known: osm-injector resolves names as its node does. "+
			"Sidecars try cluster.local and the search lists of their pods. Set osm.clusterDomain if it is another", "file", resolvConf)
	}
}

// clusterDomain reads the cluster's domain from the search list of a pod in the
// namespace, which begins with <namespace>.svc.<domain> (Kubernetes, "DNS for
// Services and Pods"). It returns nothing if the pod has no such list, as with
// hostNetwork.
func clusterDomain(conf, namespace string) string {
	var search []string
	for line := range strings.Lines(conf) {
		// The last list counts (resolv.conf(5)).
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "search" {
			search = fields[1:]
		}
	}
	for _, prefix := range []string{namespace + ".svc.", "svc."} {
		for _, entry := range search {
			entry = strings.ToLower(strings.TrimSuffix(entry, "."))
			if domain, found := strings.CutPrefix(entry, prefix); found && injector.CheckClusterDomain(domain) == nil {
				return domain
			}
		}
	}
	return ""
}
