package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// ClientName is the common name of the API server's own client certificate.
	ClientName  = "kube-apiserver"
	clientFiles = "kubelet-client"
)

// admissionConfig says which kubeconfig has what is presented to webhooks (Kubernetes, "Authenticate API servers").
const admissionConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: MutatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]q}
- name: ValidatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %[1]q}
`

// webhookClient returns the flags that have the API server present its client certificate to webhooks.
func (p controlPlane) webhookClient() ([]string, error) {
	kubeconfig, config := p.kubeconfig("webhooks"), p.pki("admission.yaml")
	c := clientcmdapi.NewConfig()
	c.AuthInfos["*"] = &clientcmdapi.AuthInfo{ClientCertificate: p.pki(clientFiles + ".crt"), ClientKey: p.pki(clientFiles + ".key")}
	if err := clientcmd.WriteToFile(*c, kubeconfig); err != nil {
		return nil, fmt.Errorf("writing %s: %w", kubeconfig, err)
	}
	return []string{"--admission-control-config-file=" + config}, os.WriteFile(config, fmt.Appendf(nil, admissionConfig, kubeconfig), 0o600)
}

// ClientCertificate issues a certificate of the cluster's authority for a client, such as a kubelet.
func (c *Cluster) ClientCertificate(subject pkix.Name) (tls.Certificate, error) {
	const name = "client"
	if err := c.authority.issue(leaf{name: name, subject: subject, usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return tls.Certificate{}, err
	}
	return tls.LoadX509KeyPair(c.plan.pki(name+".crt"), c.plan.pki(name+".key"))
}
