package certmanager

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/cert-manager/cert-manager/pkg/apis/certmanager"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

const (
	certManagerGroup  = certmanager.GroupName
	kindIssuer        = cmapi.IssuerKind
	kindClusterIssuer = cmapi.ClusterIssuerKind
)

// Reference names an issuer as a CertificateRequest does.
type Reference struct {
	// Name is the issuer's name; required.
	Name string
	// Kind is Issuer when empty.
	Kind string
	// Group is cert-manager.io when empty; another is that of an external
	// issuer, whose controller is not cert-manager's.
	Group string
}

func (r Reference) String() string { return fmt.Sprintf("%s.%s %q", r.Kind, r.Group, r.Name) }

// complete fills in the defaults, and refuses what cannot be an issuer.
func (r Reference) complete() (Reference, error) {
	r.Kind = cmp.Or(r.Kind, kindIssuer)
	r.Group = cmp.Or(r.Group, certManagerGroup)
	switch {
	case r.Name == "":
		return r, errors.New("the name of cert-manager's issuer is empty")
	case r.builtIn() && r.Kind != kindIssuer && r.Kind != kindClusterIssuer:
		return r, fmt.Errorf("group %s has no issuers of kind %q: it must be %s or %s", r.Group, r.Kind, kindIssuer, kindClusterIssuer)
	}
	return r, nil
}

// builtIn holds for issuers that cert-manager itself signs for.
func (r Reference) builtIn() bool { return r.Group == certManagerGroup }
