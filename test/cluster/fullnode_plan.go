package cluster

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The node's name and address. Its network holds every address of the cluster, and nothing outside the namespaces sees it.
const (
	nodeName    = "node"
	nodeIP      = "10.250.0.2"
	nodeAddress = nodeIP + "/8"
	pauseImage  = "localhost/pause:1"
)

// nodeConfig are the files that the node's programs read; os.Expand fills them in.
//
//go:embed fullnode
var nodeConfig embed.FS

// nodePlan says how the programs of a full node are run: a value, which starts nothing.
type nodePlan struct {
	controlPlane
	debian debian
	env    []string
}

func newNodePlan(dir, bin string, d debian) nodePlan {
	p := nodePlan{
		controlPlane: controlPlane{bin: bin, dir: dir, address: net.ParseIP(nodeIP), ports: [3]int{6443, 2379, 2380}},
		debian:       d,
		// Nothing of this process's own: a proxy that it should use can't be reached from inside.
		env: []string{
			"PATH=" + bin + ":" + d.path() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"LD_LIBRARY_PATH=" + d.libraries(),
		},
	}
	p.flags = []string{
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + p.pki("ca.crt"),
		"--kubelet-client-certificate=" + p.pki("kubelet-client.crt"), "--kubelet-client-key=" + p.pki("kubelet-client.key"),
	}
	return p
}

// writeConfig writes the node's files of configuration into its directory etc.
func (p nodePlan) writeConfig() error {
	snapshotter, err := snapshotter(p.dir)
	if err != nil {
		return err
	}
	values := map[string]string{
		"DIR": p.dir, "NODE": nodeName, "ADDRESS": nodeIP, "PODS": podRange, "CGROUP": cgroupPath(p.dir),
		"PAUSE": pauseImage, "CNI_PLUGINS": p.debian.cniPlugins(), "SNAPSHOTTER": snapshotter,
	}
	return fs.WalkDir(nodeConfig, "fullnode", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel("fullnode", path)
		if err != nil {
			return err
		}
		target := p.etc(relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := nodeConfig.ReadFile(path)
		if err != nil {
			return err
		}
		filled := os.Expand(string(content), func(key string) string { return values[key] })
		return os.WriteFile(target, []byte(filled), 0o644)
	})
}

func (p nodePlan) etc(file string) string { return filepath.Join(p.dir, "etc", file) }

// snapshotter is containerd's way to give each container its own copy of an image. An overlay can't lie on an overlay, which
// is what the file system of a container is.
func snapshotter(dir string) (string, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return "", fmt.Errorf("reading the file system type of %s: %w", dir, err)
	}
	if stat.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// writePKI makes the control plane's keys and those that a node adds.
func (p nodePlan) writePKI() (*authority, error) {
	a, err := p.controlPlane.writePKI()
	if err != nil {
		return nil, err
	}
	for _, user := range []leaf{
		administrator("kubelet-client"),
		administrator("coredns"),
		{name: "kube-proxy", subject: pkix.Name{CommonName: "system:kube-proxy"}},
		{
			name:    "kubelet",
			subject: pkix.Name{CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}},
			usages:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			dns:     []string{nodeName},
			ips:     []net.IP{p.address},
		},
	} {
		if err := p.writeUser(a, user); err != nil {
			return nil, fmt.Errorf("making the credentials of %s: %w", user.name, err)
		}
	}
	return a, nil
}

// administrator is a user that may do everything.
func administrator(name string) leaf {
	return leaf{name: name, subject: pkix.Name{CommonName: name, Organization: []string{"system:masters"}}}
}

func (p nodePlan) containerd() command {
	c := p.command("containerd", "--config="+p.etc("containerd.toml"))
	c.path = "containerd"
	return c
}

func (p nodePlan) kubelet() command {
	return p.command("kubelet", "--config="+p.etc("kubelet.yaml"), "--kubeconfig="+p.kubeconfig("kubelet"),
		"--hostname-override="+nodeName, "--node-ip="+nodeIP)
}

func (p nodePlan) kubeProxy() command {
	return p.command("kube-proxy", "--config="+p.etc("kube-proxy.yaml"))
}

func (p nodePlan) coreDNS() command { return p.command("coredns", "-conf="+p.etc("Corefile")) }
