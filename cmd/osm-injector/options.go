package main

import (
	"flag"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/injector"
)

type options struct {
	component.Options
	trustDomain       string
	sidecarImage      string
	sidecarPullPolicy string
	sidecarLogLevel   string
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	fs.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "trust domain of every identity")
	fs.StringVar(&o.sidecarImage, "sidecar-image", "", "image of the sidecar")
	fs.StringVar(&o.sidecarPullPolicy, "sidecar-image-pull-policy", "IfNotPresent", "when the sidecar's image is pulled: Always, IfNotPresent or Never")
	fs.StringVar(&o.sidecarLogLevel, "sidecar-log-level", "warn", "log level of the sidecar: debug, info, warn or error")
	return o, component.Parse(fs, args)
}

func (o *options) settings() injector.Settings {
	return injector.Settings{
		MeshName:        o.MeshName,
		Namespace:       o.Namespace,
		TrustDomain:     o.trustDomain,
		SidecarImage:    o.sidecarImage,
		ImagePullPolicy: corev1.PullPolicy(o.sidecarPullPolicy),
		LogLevel:        o.sidecarLogLevel,
	}
}
