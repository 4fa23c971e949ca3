package check

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// Root lives end in a warning when little of them is left, and in an error when
// next to nothing is.
const (
	endsSoon = 90 * 24 * time.Hour
	endsNow  = 14 * 24 * time.Hour
)

func (s *Snapshot) roots(c *Check) {
	active := 0
	for i := range s.Roots {
		root := &s.Roots[i]
		if root.Spec.Role == v1.Active {
			active++
		}
		if root.Spec.Role.Used() {
			s.authority(root, c)
		}
	}
	if active == 0 {
		c.fail("Namespace "+s.Namespace, s.activate(), "no MeshRootCertificate of it is Active: no certificate is issued or renewed")
	}
	s.issuers(c)
	s.lifetimes(c)
}

// RootSecret returns the name of the Secret that a root of the mesh's own is in.
func RootSecret(root *v1.MeshRootCertificate) (name string, ok bool) {
	if t := root.Spec.Provider.Tresor; t != nil {
		return t.SecretRef.Name, true
	}
	return "", false
}

func (s *Snapshot) rootSecret(root *v1.MeshRootCertificate, c *Check) {
	name, ok := RootSecret(root)
	if !ok {
		return
	}
	object, secret := s.object("Secret", name), s.Secrets[name]
	if secret == nil {
		c.fail(object, s.restart("osm-bootstrap"), "it does not exist: osm-bootstrap makes a new root, or you put your backup there")
		return
	}
	if refused := s.refusal(root); refused != nil {
		c.fail(object, s.correct(refused), "key %q: %s", refused.Key, refused.Problem)
		return
	}
	parsed, err := rootsecret.Parse(secret, s.Now)
	known := s.trusted()
	switch {
	case err != nil || known.IsEmpty() || known.Contains(parsed.Certificate):
	case len(known.Roots()) >= rotation.MaxRoots:
		c.warn(object, fmt.Sprintf("find out what replaces the root so often; former ones are dropped in time: kubectl get events -n %s --field-selector reason=RootWaits", s.Namespace),
			"its root is not trusted yet: the mesh trusts %s, and no more at once", count(len(known.Roots()), "root"))
	default:
		c.warn(object, s.logs("osm-controller"), "its root is not trusted yet: osm-controller has not begun to distribute it")
	}
}

// activate is how a mesh gets a root that signs: osm-bootstrap makes the first.
func (s *Snapshot) activate() string {
	if len(s.Roots) == 0 {
		return s.restart("osm-bootstrap")
	}
	for i := range s.Roots {
		if root := &s.Roots[i]; root.Spec.Role != v1.Revoked {
			return fmt.Sprintf(`kubectl patch mrc -n %s %s --type=merge -p '{"spec":{"role":"Active"}}'`, s.Namespace, root.Name)
		}
	}
	return "create another (docs/meshrootcertificate.md): kubectl create -f FILE"
}

// refusal is why the Secret of an authority of the mesh's own cannot be used; nil
// if it can, or is not there.
func (s *Snapshot) refusal(root *v1.MeshRootCertificate) *rootsecret.RefusedError {
	name, ok := RootSecret(root)
	if !ok || s.Secrets[name] == nil {
		return nil
	}
	parsed, err := rootsecret.Parse(s.Secrets[name], s.Now)
	if domain := root.Spec.TrustDomain; err == nil && domain != "" {
		err = rootsecret.CheckNames(s.Secrets[name], domain, parsed.Certificate)
	}
	refused, _ := errors.AsType[*rootsecret.RefusedError](err)
	return refused
}

// correct is how a Secret is put right that is refused.
func (s *Snapshot) correct(refused *rootsecret.RefusedError) string {
	secret := s.Secrets[refused.Name]
	switch {
	case secret.Immutable != nil && *secret.Immutable:
		return fmt.Sprintf("%s; it is immutable, so that only another can take its place: kubectl delete secret -n %s %s", refused.Fix, s.Namespace, refused.Name)
	case refused.Key == rootsecret.ExpirationKey:
		return fmt.Sprintf(`%s: kubectl patch secret -n %s %s --type=json -p '[{"op":"remove","path":"/data/%s"}]'`, refused.Fix, s.Namespace, refused.Name, refused.Key)
	}
	return fmt.Sprintf("%s: %s", refused.Fix, s.put(refused.Name, rootsecret.CertificateKey, rootsecret.PrivateKeyKey))
}

// issuers tells what replicas of osm-controller say though they are ready, such
// as that an issuer is asked rarely because it fails.
func (s *Snapshot) issuers(c *Check) {
	for _, r := range s.Replicas {
		for _, warning := range r.Warnings {
			message, fix, found := strings.Cut(warning, issuer.ToFix)
			if !found {
				fix = fmt.Sprintf("kubectl get mrc -n %s -o yaml", s.Namespace)
			}
			c.warn(s.object("Pod", r.Pod), fix, "%s", message)
		}
	}
}

// lifetimes checks when trusted roots end: the one that signs, above all.
func (s *Snapshot) lifetimes(c *Check) {
	state, err := s.state()
	if err != nil {
		return // trust says it
	}
	for _, root := range state.Signing().Roots() {
		rest, life := root.NotAfter.Sub(s.Now), root.NotAfter.Sub(root.NotBefore)
		object, rotate := s.rootObject(state, root), s.replaceRoot(state, root)
		switch {
		case s.Now.Add(issuer.ClockSkew).Before(root.NotBefore):
			c.fail(object, "synchronise the clocks; or else, "+rotate, "it signs, and is not valid before %s", root.NotBefore.UTC().Format(time.RFC3339))
		case rest <= 0:
			c.fail(object, rotate, "it expired at %s", root.NotAfter.UTC().Format(time.RFC3339))
		case rest < min(endsNow, life/50):
			c.fail(object, rotate, "it signs, and expires in %s", Left(rest))
		case rest < min(endsSoon, life/10):
			c.warn(object, rotate, "it signs, and expires in %s", Left(rest))
		}
		c.Summary = fmt.Sprintf("%s signs and expires in %s, at %s", root.Subject, Left(rest), root.NotAfter.UTC().Format(time.RFC3339))
		if rest <= 0 {
			c.Summary = fmt.Sprintf("%s signs and expired at %s", root.Subject, root.NotAfter.UTC().Format(time.RFC3339))
		}
	}
}

// rootObject names a root and what it is of: roots may have the same subject.
func (s *Snapshot) rootObject(state rotation.State, root *x509.Certificate) string {
	object := fmt.Sprintf("root %s", root.Subject)
	if source := state.Source(root); source != "" {
		object += " of " + s.object("MeshRootCertificate", source)
	}
	return object
}

// state reads the record.
func (s *Snapshot) state() (rotation.State, error) {
	if s.Record == nil {
		return rotation.State{}, nil
	}
	return rotation.Parse(s.Record.Data)
}
