package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer"
)

// minValidity is the shortest life of a certificate: renewal at half of it has
// to reach every sidecar before the rest is over.
const minValidity = time.Minute

type options struct {
	component.Options
	trustDomain  string
	rootSecret   string
	validity     time.Duration
	keyAlgorithm issuer.KeyAlgorithm
}

func parse(args []string) (*options, error) {
	o := &options{keyAlgorithm: issuer.DefaultKeyAlgorithm}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	fs.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "trust domain of every identity")
	fs.StringVar(&o.rootSecret, "ca-bundle-secret-name", "osm-ca-bundle", "Secret of the root certificate and its key")
	fs.DurationVar(&o.validity, "service-cert-validity-duration", 24*time.Hour, "lifetime of a service certificate, at least one minute")
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
	return o, nil
}

func checkValidity(validity time.Duration) error {
	if validity < minValidity {
		return fmt.Errorf("%s is shorter than %s", validity, minValidity)
	}
	return nil
}
