// Package names owns which addresses, mounts and roles of Vault there are. The
// schemas of the custom resource and of the chart repeat its patterns, and the
// webhook, osm and the client of Vault ask it, so that none refuses what another
// takes. It knows no Vault and no Kubernetes.
package names

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// What the schemas repeat.
const (
	// AddressPattern is a URL with http or https, a host and, maybe, a port and the
	// path that a proxy has Vault at, as VAULT_ADDR takes it.
	AddressPattern = `^[Hh][Tt][Tt][Pp][Ss]?://([0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?[.]?|\[[0-9A-Fa-f:.]+\])` +
		`(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?` +
		`(/([.]?[0-9A-Za-z!$&'()*+,:;=@_~-][0-9A-Za-z!$&'()*+,.:;=@_~-]*|[.]{2}[0-9A-Za-z!$&'()*+,.:;=@_~-]+))*/?$`

	// MountPattern is a path of what Vault allows in a mount, but for what a URL
	// gives another meaning. Vault's namespaces may stand before. No segment is one
	// or two dots, or begins or ends with a blank.
	MountPattern = `^/?(` + segment + `)(/(` + segment + `))*/?$`
	segment      = `[.]?` + first + `(` + inner + `*` + last + `)?|[.]{2}` + inner + `*` + last
	first        = `[\p{L}\p{M}\p{N}!$&'()*+,:;=@_~-]`
	last         = `[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-]`
	inner        = `[\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]`

	// RolePattern is Vault's own rule for the names of roles, of a PKI as of an auth
	// method, and of issuers (GenericNameRegex of its SDK).
	RolePattern = `^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?$`
)

// The most that the schemas take, in characters.
const (
	maxAddress = 512
	maxName    = 255
)

var (
	addressPattern = regexp.MustCompile(AddressPattern)
	mountPattern   = regexp.MustCompile(MountPattern)
	rolePattern    = regexp.MustCompile(RolePattern)
)

// WantAddress, WantMount and WantRole say what is taken.
const (
	WantAddress = "want a URL such as https://vault.vault.svc:8200, with nothing but the path beside that a proxy has Vault at"
	WantMount   = "want the path of a mount, such as pki or team/pki: letters, digits and !$&'()*+,-.:;=@_~, with single slashes between"
	WantRole    = "want the name of a role: letters, digits and underscores, with dots and dashes between"
)

// CheckAddress refuses what is not the address of a Vault. It gives the value that
// was meant where there is one, and does not repeat what it refuses: a password may
// stand in it.
func CheckAddress(address string) error {
	if validAddress(address) {
		return nil
	}
	if meant := correct(address); validAddress(meant) {
		return fmt.Errorf("%s: write %s", WantAddress, meant)
	}
	return errors.New(WantAddress)
}

func validAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxAddress && addressPattern.MatchString(address) && validHost(u.Hostname()) && u.EscapedPath() == apiless(u.EscapedPath())
}

// validHost refuses what stands in brackets, or consists of digits, and is no IP
// address.
func validHost(host string) bool {
	if strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "" {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return true
}

// CheckMount refuses what is not the path of a mount.
func CheckMount(mount string) error {
	if len([]rune(mount)) > maxName || !mountPattern.MatchString(mount) {
		return errors.New(WantMount)
	}
	return nil
}

// Mount returns the path of a mount as Vault's paths have it.
func Mount(mount string) string { return strings.Trim(mount, "/") }

// CheckRole refuses what is not the name of a role or an issuer.
func CheckRole(role string) error {
	if len(role) > maxName || !rolePattern.MatchString(role) {
		return errors.New(WantRole)
	}
	return nil
}

// CheckToken refuses what is not a token alone, and does not repeat it.
func CheckToken(token string) error {
	switch {
	case strings.HasPrefix(token, "aHZz"): // hvs, hvb and hvr are what Vault's tokens begin with
		return errors.New("it is in base64 once too often: decode it (base64 -d)")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.ContainsAny(token, `"'{}`) || strings.HasPrefix(token, "VAULT_TOKEN="):
		return errors.New("it is not a token alone: put what vault token create -field=token prints there, without quotes, names or blanks")
	}
	return nil
}

// Same reports whether two addresses are of one Vault: a login that may go to one
// may go to the other. Another path may be that of another Vault.
func Same(a, b string) bool {
	return validAddress(a) && validAddress(b) && canonical(a) == canonical(b)
}

func canonical(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.String()
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port) + strings.TrimRight(u.EscapedPath(), "/")
}

// correct returns what was probably meant by what is refused. It takes off what
// may be a secret.
func correct(address string) string {
	address = strings.TrimSpace(address)
	if strings.Contains(address, "%") {
		return ""
	}
	if !strings.Contains(address, "://") {
		if !strings.ContainsAny(address, ":/") {
			return "" // a token looks as a host does
		}
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	u.Host = strings.TrimSuffix(u.Host, ":")
	if u.Path = path.Clean("/" + apiless(u.Path)); u.Path == "/" {
		u.Path = ""
	}
	return u.String()
}

// apiless returns a path without what the API and the pages of Vault have
// themselves, which is part of a URL that someone has copied.
func apiless(given string) string {
	for _, own := range []string{"/v1", "/ui"} {
		if before, _, found := strings.Cut(given+"/", own+"/"); found {
			return before
		}
	}
	return given
}
