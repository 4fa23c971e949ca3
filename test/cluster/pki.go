package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// lifetime is that of every certificate of a cluster, which lives for minutes.
const lifetime = 30 * 24 * time.Hour

// authority is the cluster's certificate authority. What it makes are files of its directory: NAME.crt, NAME.key and
// NAME.kubeconfig, with "ca" as its own name.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leaf is a certificate to be: its file name, its subject and what it is good for.
type leaf struct {
	name    string
	subject pkix.Name
	usages  []x509.ExtKeyUsage
	dns     []string
	ips     []net.IP
}

func newAuthority(dir string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &authority{dir: dir}
	var err error
	a.key, a.cert, err = a.write("ca", &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kubernetes-ca"},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	})
	return a, err
}

// issue makes the certificate and its key.
func (a *authority) issue(l leaf) error {
	_, _, err := a.write(l.name, &x509.Certificate{
		Subject:     l.subject,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: l.usages,
		DNSNames:    l.dns,
		IPAddresses: l.ips,
	})
	return err
}

// write completes the template, signs it with the authority's key, or with its own while there is none, and writes both.
func (a *authority) write(name string, template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128)); err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-5*time.Minute), time.Now().Add(lifetime)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the certificate of %s: %w", name, err)
	}
	if err := a.writePEM(name+".crt", "CERTIFICATE", der); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return key, cert, a.writeKey(name+".key", key)
}

// serviceAccountKey makes the pair sa.key and sa.pub, with which the API server signs and verifies service account tokens.
func (a *authority) serviceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := a.writePEM("sa.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return a.writeKey("sa.key", key)
}

func (a *authority) writeKey(file string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return a.writePEM(file, "PRIVATE KEY", der)
}

func (a *authority) writePEM(file, kind string, der []byte) error {
	return os.WriteFile(a.path(file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

// kubeconfig writes NAME.kubeconfig for the holder of the certificate NAME. It carries the key itself: it can be moved.
func (a *authority) kubeconfig(name, server string) error {
	cert, err := os.ReadFile(a.path(name + ".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(a.path(name + ".key"))
	if err != nil {
		return err
	}
	user := &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	return writeKubeconfig(a.path(name+".kubeconfig"), server, a.cert, user)
}

func writeKubeconfig(path, server string, ca *x509.Certificate, user *clientcmdapi.AuthInfo) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["cluster"] = &clientcmdapi.Cluster{
		Server:                   server,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
	}
	c.AuthInfos["user"] = user
	c.Contexts["cluster"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: "user"}
	c.CurrentContext = "cluster"
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
