package main

import "errors"

// ready is the readiness of SDS: a replica that cannot serve it gets no new
// connections. At a start it waits for the webhook's certificate, too, which comes
// from osm-bootstrap as that of every webhook does.
func (c *controller) ready() error {
	if !c.caches.synced() {
		return errors.New("pods and namespaces are not cached yet")
	}
	return errors.Join(c.signs(), c.serving.Ready(), awaited(c.validated), c.contact.Check())
}

// certificate is that of a server.
type certificate interface {
	Ready() error
	Missing() bool
}

// awaited returns an error while a certificate is still to come. One that is
// refused, or has ended, takes the webhook away, and sidecars need not do without
// a replica for that.
func awaited(c certificate) error {
	if c.Missing() {
		return c.Ready()
	}
	return nil
}

// warnings says what does not make a replica unready. Of the issuer: it serves
// the certificates that there are, and all replicas ask the same issuer. Of the
// webhook: that settings cannot be changed.
func (c *controller) warnings() (warnings []string) {
	if health := c.manager.Health(); health.Open {
		warnings = append(warnings, health.String())
	}
	for _, err := range []error{webhookProblem(c.validated), c.clients.Ready()} {
		if err != nil {
			warnings = append(warnings, "MeshConfigs and MeshRootCertificates cannot be changed: "+err.Error())
		}
	}
	return warnings
}

func webhookProblem(c certificate) error {
	if c.Missing() {
		return nil // Ready says it
	}
	return c.Ready()
}
