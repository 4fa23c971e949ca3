package validate

import (
	"bytes"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault/names"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func provider(path *field.Path, p v1.Provider, result *Result) {
	switch kinds := p.Kinds(); len(kinds) {
	case 0:
		result.Refuse(field.Required(path, "set exactly one of tresor, vault and certManager"))
		return
	case 1:
	default:
		result.Refuse(field.Forbidden(path, "sets "+strings.Join(kinds, " and ")+": keep exactly one of tresor, vault and certManager"))
		return
	}
	switch {
	case p.Tresor != nil:
		result.Refuse(secretName(path.Child("tresor", "secretRef", "name"), p.Tresor.SecretRef.Name)...)
	case p.Vault != nil:
		vault(path.Child("vault"), *p.Vault, result)
	case p.CertManager != nil:
		certManager(path.Child("certManager"), *p.CertManager, result)
	}
}

func certManager(path *field.Path, c v1.CertManager, result *Result) {
	result.Refuse(issuerReference(path.Child("issuerRef"), c.IssuerRef)...)
	if c.RootsSecretRef != nil {
		result.Refuse(secretName(path.Child("rootsSecretRef", "name"), c.RootsSecretRef.Name)...)
	}
}

func vault(path *field.Path, v v1.Vault, result *Result) {
	if err := names.CheckAddress(v.Address); err != nil {
		// What was written may hold a password.
		result.Refuse(field.Invalid(path.Child("address"), field.OmitValueType{}, err.Error()))
	} else if v.Plain() {
		result.Warn("Vault's token goes to %s in plain text: use https. Over http, no roots are trusted but those of the Secret that rootsSecretRef names, which is the mesh's own without it", v.Address)
	}
	if v.RootsSecretRef != nil {
		result.Refuse(secretName(path.Child("rootsSecretRef", "name"), v.RootsSecretRef.Name)...)
	}
	result.Refuse(checked(path.Child("mount"), v.Mount, names.CheckMount)...)
	result.Refuse(checked(path.Child("role"), v.Role, names.CheckRole)...)
	caBundle(path.Child("caBundle"), v.CABundle, result)
	vaultAuth(path.Child("auth"), v.Auth, result)
}

func caBundle(path *field.Path, bundle []byte, result *Result) {
	if len(bytes.TrimSpace(bundle)) == 0 {
		return
	}
	if _, err := trustbundle.ParseCertificates(bundle); err != nil {
		result.Refuse(field.Invalid(path, field.OmitValueType{}, err.Error()+": want PEM certificates"))
	} else if ignored := trustbundle.Ignored(bundle); ignored != "" {
		result.Warn("%s: ignored %s", path, ignored)
	}
}

// vaultAuth also stands for what v1alpha2 has no schema for: it has a token only.
func vaultAuth(path *field.Path, auth v1.VaultAuth, result *Result) {
	switch token, kubernetes := auth.TokenSecretRef, auth.Kubernetes; {
	case token == nil && kubernetes == nil:
		result.Refuse(field.Required(path, "set the Secret of Vault's token, or in version v1 auth.kubernetes"))
	case token != nil && kubernetes != nil:
		result.Refuse(field.Forbidden(path, "sets tokenSecretRef and kubernetes: keep exactly one"))
	case token != nil:
		result.Refuse(secretName(path.Child("tokenSecretRef", "name"), token.Name)...)
		for _, problem := range validation.IsConfigMapKey(token.Key) {
			result.Refuse(field.Invalid(path.Child("tokenSecretRef", "key"), token.Key, problem))
		}
	default:
		result.Refuse(checked(path.Child("kubernetes", "role"), kubernetes.Role, names.CheckRole)...)
		result.Refuse(checked(path.Child("kubernetes", "mountPath"), kubernetes.MountPath, names.CheckMount)...)
	}
}

// checked takes what is not set for what the schema makes of it.
func checked(path *field.Path, value string, check func(string) error) field.ErrorList {
	if value == "" {
		return nil
	}
	if err := check(value); err != nil {
		return field.ErrorList{field.Invalid(path, value, err.Error())}
	}
	return nil
}

func secretName(path *field.Path, name string) (problems field.ErrorList) {
	for _, problem := range validation.IsDNS1123Subdomain(name) {
		problems = append(problems, field.Invalid(path, name, problem))
	}
	return problems
}

// kindPattern is what the schemas take.
var kindPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)

func issuerReference(path *field.Path, ref v1.IssuerReference) field.ErrorList {
	problems := secretName(path.Child("name"), ref.Name)
	if ref.Group != "" {
		problems = append(problems, secretName(path.Child("group"), ref.Group)...)
	}
	switch {
	case ref.Kind == "":
	case !kindPattern.MatchString(ref.Kind):
		problems = append(problems, field.Invalid(path.Child("kind"), ref.Kind, "want a kind such as Issuer or ClusterIssuer"))
	case (ref.Group == "" || ref.Group == "cert-manager.io") && ref.Kind != "Issuer" && ref.Kind != "ClusterIssuer":
		problems = append(problems, field.Invalid(path.Child("kind"), ref.Kind,
			"cert-manager.io has no issuers but of kind Issuer and ClusterIssuer: set the group of an external issuer, too"))
	}
	return problems
}
