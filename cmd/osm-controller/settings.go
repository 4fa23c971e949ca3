package main

import (
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// certificates are what service certificates look like: as the flags say, and
// the MeshConfig before them.
type certificates struct {
	options          *options
	manager          *issuer.Manager
	retirementPeriod *rotation.RetirementPeriod
}

// follow has a MeshConfig count for certificates that are issued from now on;
// nil: the flags alone do. Replaced roots are trusted for the longer lifetime
// before anything is issued with it.
func (c *certificates) follow(mesh *v1.MeshConfig) error {
	validity, algorithm, err := c.options.overlay(mesh)
	if err != nil {
		return err
	}
	c.retirementPeriod.Set(validity)
	return c.manager.Configure(validity, algorithm)
}

// overlay returns what a MeshConfig says of certificates, and what the flags say
// where it says nothing.
func (o *options) overlay(mesh *v1.MeshConfig) (validity time.Duration, algorithm issuer.KeyAlgorithm, err error) {
	validity, algorithm = o.validity, o.keyAlgorithm
	if mesh == nil {
		return validity, algorithm, nil
	}
	said := mesh.Spec.Certificate
	if said.ServiceCertValidityDuration != "" {
		if validity, err = time.ParseDuration(said.ServiceCertValidityDuration); err == nil {
			err = checkValidity(validity)
		}
	}
	if said.KeyAlgorithm != "" && err == nil {
		algorithm, err = issuer.ParseKeyAlgorithm(string(said.KeyAlgorithm))
	}
	return validity, algorithm, err
}

// overruled names the flags that a MeshConfig takes precedence over, and that say
// something else.
func (o *options) overruled(mesh *v1.MeshConfig) (flags []string) {
	validity, algorithm, err := o.overlay(mesh)
	if err != nil {
		return nil // it does not count
	}
	if validity != o.validity {
		flags = append(flags, "-service-cert-validity-duration")
	}
	if algorithm != o.keyAlgorithm {
		flags = append(flags, "-key-algorithm")
	}
	return flags
}
