// Package binary builds the Kubernetes that package cluster runs. It is small, because it is compiled before the
// build starts.
package binary

import (
	"context"
	"io"
	"strings"

	"github.com/osm-edge/osm/test/gobuild"
)

// kubeone is where the module of Kubernetes' binaries is.
const kubeone = "test/cluster/kubeone"

// Build returns the directory of the Kubernetes binaries: kubeone and, under the name of each component, a link to it.
// The first call compiles them, which takes minutes and is told to progress; see [gobuild.Program.Build].
func Build(ctx context.Context, progress io.Writer) (string, error) {
	version, err := gobuild.Version(ctx, kubeone, "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	return gobuild.Program{
		Name:    "kubeone",
		Dir:     kubeone,
		Of:      "Kubernetes",
		LDFlags: versionFlags(version),
		Links:   components(),
	}.Build(ctx, progress)
}

// components are the names under which kubeone runs a component.
func components() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "coredns"}
}

// versionFlags gives the components the version that a release build has: kubectl refuses to work without one.
func versionFlags(version string) string {
	number := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	flags := "-s -w"
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, kv := range []string{
			"gitVersion=" + version, "gitMajor=" + number[0], "gitMinor=" + number[1],
			"gitTreeState=clean", "gitCommit=unknown", "buildDate=1970-01-01T00:00:00Z",
		} {
			flags += " -X " + pkg + "." + kv
		}
	}
	return flags
}
