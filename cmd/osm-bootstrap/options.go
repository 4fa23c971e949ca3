package main

import (
	"flag"

	"github.com/osm-edge/osm/cmd/internal/component"
)

type options struct {
	component.Options
	once              bool
	rootSecret        string
	preset            string
	mutatingWebhook   string
	validatingWebhook string
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	fs.BoolVar(&o.once, "once", false, "carry out the steps once and exit, as a Job does")
	fs.StringVar(&o.rootSecret, "ca-bundle-secret-name", "osm-ca-bundle", "Secret of the root certificate, and of its key if the mesh has one")
	fs.StringVar(&o.preset, "preset", "osm-preset", "ConfigMap of the first MeshConfig and MeshRootCertificate, which are created where there is none")
	fs.StringVar(&o.mutatingWebhook, "mutating-webhook", "osm-webhook-osm", "MutatingWebhookConfiguration of the mesh")
	fs.StringVar(&o.validatingWebhook, "validating-webhook", "osm-validator-mesh-osm", "ValidatingWebhookConfiguration of the mesh")
	return o, component.Parse(fs, args)
}
