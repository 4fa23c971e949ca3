package cluster

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
)

// The ranges of addresses of Services and pods. Both forms of the cluster have the same.
const (
	serviceRange = "10.96.0.0/16"
	podRange     = "10.244.0.0/16"
	apiServiceIP = "10.96.0.1" // the first of serviceRange: the Service kubernetes
)

// controlPlane says how etcd, the API server, the controllers and the scheduler are run: a value, which starts nothing.
type controlPlane struct {
	bin     string   // directory of the binaries
	dir     string   // directory of the cluster: pki, logs, data
	address net.IP   // where the API server listens and is reached
	ports   [3]int   // of the API server, of etcd's clients, of its peers
	flags   []string // of the API server, beside those that every form needs
}

// server is the API server's URL.
func (p controlPlane) server() string {
	return (&url.URL{Scheme: "https", Host: p.hostPort()}).String()
}

func (p controlPlane) hostPort() string {
	return net.JoinHostPort(p.address.String(), strconv.Itoa(p.ports[0]))
}

func (p controlPlane) logDir() string { return filepath.Join(p.dir, "log") }

// podLog is the file that takes what the pod's processes print.
func (p controlPlane) podLog(namespace, pod string) string {
	return filepath.Join(p.logDir(), "pods", namespace, pod+".log")
}

func (p controlPlane) pki(file string) string { return filepath.Join(p.dir, "pki", file) }

// kubeconfig is the path of the kubeconfig of the user: admin, kube-controller-manager, kube-scheduler.
func (p controlPlane) kubeconfig(user string) string { return p.pki(user + ".kubeconfig") }

// writePKI makes the keys, certificates and kubeconfigs that the commands name, and returns the authority for more.
func (p controlPlane) writePKI() (*authority, error) {
	a, err := newAuthority(filepath.Join(p.dir, "pki"))
	if err != nil {
		return nil, fmt.Errorf("making the certificate authority: %w", err)
	}
	if err := a.serviceAccountKey(); err != nil {
		return nil, fmt.Errorf("making the key of service account tokens: %w", err)
	}
	if err := a.issue(p.serving()); err != nil {
		return nil, err
	}
	for _, user := range []leaf{
		{name: "admin", subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}},
		{name: "kube-controller-manager", subject: pkix.Name{CommonName: "system:kube-controller-manager"}},
		{name: "kube-scheduler", subject: pkix.Name{CommonName: "system:kube-scheduler"}},
	} {
		if err := p.writeUser(a, user); err != nil {
			return nil, fmt.Errorf("making the credentials of %s: %w", user.name, err)
		}
	}
	return a, nil
}

// writeUser makes a client certificate and the kubeconfig that carries it.
func (p controlPlane) writeUser(a *authority, user leaf) error {
	user.usages = append(user.usages, x509.ExtKeyUsageClientAuth)
	if err := a.issue(user); err != nil {
		return err
	}
	return a.kubeconfig(user.name, p.server())
}

func (p controlPlane) serving() leaf {
	return leaf{
		name:    "kube-apiserver",
		subject: pkix.Name{CommonName: "kube-apiserver"},
		usages:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		dns:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		ips:     []net.IP{p.address, net.ParseIP("127.0.0.1"), net.ParseIP(apiServiceIP)},
	}
}

// command completes a component's command: its binary and its log are named after it.
func (p controlPlane) command(name string, args ...string) command {
	return command{name: name, path: filepath.Join(p.bin, name), args: args, log: filepath.Join(p.logDir(), name+".log")}
}

// etcd runs without fsync: a cluster that outlives no crash of the machine has nothing to keep.
func (p controlPlane) etcd() command {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", p.ports[1]), fmt.Sprintf("http://127.0.0.1:%d", p.ports[2])
	return p.command("etcd", "--name=cluster", "--data-dir="+filepath.Join(p.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=cluster="+peer)
}

// FormerIssuer is an issuer of service account tokens that the API server accepts, and does not publish.
const FormerIssuer = "https://former.kubernetes.example"

func (p controlPlane) apiServer() command {
	return p.command("kube-apiserver", append([]string{
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", p.ports[1]),
		"--bind-address=" + p.address.String(), "--advertise-address=" + p.address.String(), fmt.Sprintf("--secure-port=%d", p.ports[0]),
		"--tls-cert-file=" + p.pki("kube-apiserver.crt"), "--tls-private-key-file=" + p.pki("kube-apiserver.key"),
		"--client-ca-file=" + p.pki("ca.crt"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-account-issuer=" + FormerIssuer,
		"--service-account-key-file=" + p.pki("sa.pub"), "--service-account-signing-key-file=" + p.pki("sa.key"),
	}, p.flags...)...)
}

// controllerManager runs every controller that is on by default, each with the rights of its own service account.
// It serves nothing: one port less to find.
func (p controlPlane) controllerManager() command {
	return p.command("kube-controller-manager",
		"--kubeconfig="+p.kubeconfig("kube-controller-manager"), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=1000",
		"--use-service-account-credentials", "--service-account-private-key-file="+p.pki("sa.key"), "--root-ca-file="+p.pki("ca.crt"),
		"--cluster-signing-cert-file="+p.pki("ca.crt"), "--cluster-signing-key-file="+p.pki("ca.key"),
		"--flex-volume-plugin-dir="+filepath.Join(p.dir, "volume-plugins"))
}

func (p controlPlane) scheduler() command {
	return p.command("kube-scheduler", "--kubeconfig="+p.kubeconfig("kube-scheduler"), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=1000", "--kube-api-burst=1000")
}
