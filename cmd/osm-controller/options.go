package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// minValidity is the shortest life of a certificate: renewal at half of it has
// to reach every sidecar before the rest is over.
const minValidity = time.Minute

// minAckTimeout leaves proxies time to find another replica, when theirs cannot
// tell them of a new root.
const minAckTimeout = time.Minute

type options struct {
	component.Options
	callers      component.ClientFlags
	trustDomain  string
	rootSecret   string
	vaultAddress string
	vaultToken   v1.SecretKeyReference
	replica      string
	ackTimeout   time.Duration
	clockSkew    time.Duration
	validity     time.Duration
	keyAlgorithm issuer.KeyAlgorithm
	// ignorePodCIDRs has addresses of pods count outside of the podCIDRs of their
	// nodes, too.
	ignorePodCIDRs bool
}

func parse(args []string) (*options, error) {
	o := &options{keyAlgorithm: issuer.DefaultKeyAlgorithm}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	o.callers.Add(fs)
	fs.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "trust domain of every identity")
	fs.StringVar(&o.rootSecret, "ca-bundle-secret-name", "osm-ca-bundle", "Secret of the root certificate and its key")
	fs.StringVar(&o.vaultAddress, "vault-address", "", "Vault that the mesh may log in to, whatever a MeshRootCertificate names; none when empty")
	fs.Func("vault-token-secret", "Secret and key, with a slash between, of the token that may be sent to -vault-address", func(value string) error {
		name, key, ok := strings.Cut(value, "/")
		if !ok || name == "" || key == "" {
			return fmt.Errorf("%q is not of the form secret/key", value)
		}
		o.vaultToken = v1.SecretKeyReference{Name: name, Key: key}
		return nil
	})
	fs.StringVar(&o.replica, "replica", hostname(), "name of this replica, unique among replicas, as its Pod's is")
	fs.DurationVar(&o.ackTimeout, "rotation-deadline", 5*time.Minute, "how long a new root waits for pods that have not acknowledged it, before it signs")
	fs.DurationVar(&o.clockSkew, "clock-skew", issuer.ClockSkew, "how far apart the clocks of nodes may be: for that long from its begin a certificate is held back that replaces one which is valid; 0s holds none back")
	fs.DurationVar(&o.validity, "service-cert-validity-duration", 24*time.Hour, "lifetime of a service certificate, at least one minute")
	fs.BoolVar(&o.ignorePodCIDRs, "ignore-pod-cidrs", false, "have an address of a pod count outside of the podCIDRs of its node, too")
	fs.Func("key-algorithm", "keys of service certificates (default "+string(issuer.DefaultKeyAlgorithm)+")", func(value string) (err error) {
		o.keyAlgorithm, err = issuer.ParseKeyAlgorithm(value)
		return err
	})
	if err := component.Parse(fs, args); err != nil {
		return nil, err
	}
	if err := checkValidity(o.validity); err != nil {
		return nil, fmt.Errorf("-service-cert-validity-duration: %w", err)
	}
	if o.ackTimeout < minAckTimeout {
		return nil, fmt.Errorf("-rotation-deadline: %s is shorter than %s", o.ackTimeout, minAckTimeout)
	}
	if o.clockSkew < 0 || o.clockSkew > time.Hour {
		return nil, fmt.Errorf("-clock-skew: %s is not from 0s to 1h", o.clockSkew)
	}
	if problems := validation.IsDNS1123Subdomain(o.replica); len(problems) > 0 {
		return nil, fmt.Errorf("-replica: %q cannot be part of an object's name: %s", o.replica, problems[0])
	}
	return o, nil
}

// hostname is the Pod's name. Where it is not to be had, -replica is.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return strings.ToLower(name)
}

func checkValidity(validity time.Duration) error {
	if validity < minValidity {
		return fmt.Errorf("%s is shorter than %s", validity, minValidity)
	}
	return nil
}
