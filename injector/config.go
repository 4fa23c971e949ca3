package injector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/identity"
)

// controllerServiceAccount is the service account that osm-controller, and so
// the SDS server, runs as in the mesh's namespace.
const controllerServiceAccount = "osm-controller"

// Config is a valid, immutable set of Settings.
type Config struct {
	settings   Settings
	controller identity.Identity
	// volume is the same in every pod. It is only read.
	volume corev1.Volume
}

// NewConfig checks settings and fills in their defaults. The error names every
// setting that is wrong.
func NewConfig(settings Settings) (*Config, error) {
	settings = settings.withDefaults()
	controller, err := identity.New(settings.TrustDomain, settings.Namespace, controllerServiceAccount)
	if err := errors.Join(err, settings.check()); err != nil {
		return nil, fmt.Errorf("injector configuration: %w", err)
	}
	scripts := slices.Sorted(maps.Keys(pipy.Scripts()))
	return &Config{
		settings:   settings,
		controller: controller,
		volume:     identityVolume(pipy.ConfigMapName(), scripts),
	}, nil
}
