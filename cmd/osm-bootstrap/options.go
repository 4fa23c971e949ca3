package main

import (
	"errors"
	"flag"
	"strconv"

	"github.com/osm-edge/osm/bootstrap"
	"github.com/osm-edge/osm/cmd/internal/component"
)

type options struct {
	component.Options
	once              bool
	rootSecret        string
	preset            string
	mutatingWebhook   string
	validatingWebhook string
	rootRenewal       int // percent
}

func parse(args []string) (*options, error) {
	o := &options{rootRenewal: bootstrap.DefaultRenewalPercent}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	fs.BoolVar(&o.once, "once", false, "carry out the steps once and exit, as a Job does")
	fs.StringVar(&o.rootSecret, "ca-bundle-secret-name", "osm-ca-bundle", "Secret of the root certificate, and of its key if the mesh has one")
	fs.StringVar(&o.preset, "preset", "osm-preset", "ConfigMap of the first MeshConfig and MeshRootCertificate, which are created where there is none")
	fs.StringVar(&o.mutatingWebhook, "mutating-webhook", "osm-webhook-osm", "MutatingWebhookConfiguration of the mesh")
	fs.StringVar(&o.validatingWebhook, "validating-webhook", "osm-validator-mesh-osm", "ValidatingWebhookConfiguration of the mesh")
	fs.Func("root-renewal-percent", "how much of its life is left when a root that the mesh made is replaced, 0 to 50 percent; never if 0 (default 10)", percent(&o.rootRenewal))
	return o, component.Parse(fs, args)
}

// percent sets a share that leaves a root at least half of its life: a new one
// would be due at once otherwise.
func percent(share *int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 50 {
			return errors.New("it is not a number from 0 to 50")
		}
		*share = n
		return nil
	}
}
