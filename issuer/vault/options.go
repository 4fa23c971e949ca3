package vault

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Vault's own rule for the names of roles, and what its paths consist of.
var namePattern = regexp.MustCompile(`^\w(([\w.-]+)?\w)?$`)

func (o Options) check() error {
	if err := checkAddress(o.Address); err != nil {
		return err
	}
	for _, segment := range strings.Split(o.Mount, "/") {
		if !namePattern.MatchString(segment) {
			return fmt.Errorf("vault mount %q is not a path such as pki or mesh/pki", o.Mount)
		}
	}
	switch {
	case !namePattern.MatchString(o.Role):
		return fmt.Errorf("vault role %q is not the name of a role", o.Role)
	case o.Credentials == nil:
		return errors.New("no credentials for vault: neither a token nor a Kubernetes login")
	case o.Given == nil && strings.HasPrefix(strings.ToLower(o.Address), "http:"):
		return errors.New("the address of vault is http and no roots are given: over http, anybody on the way can add one; use https, or give the roots")
	}
	return nil
}

// checkAddress does not repeat what it refuses: a password may stand in it.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil:
		return errors.New("the address of vault is not of the form scheme://host:port")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("the protocol %q of vault's address is neither http nor https", u.Scheme)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("the address of vault has something after host and port")
	}
	return nil
}
