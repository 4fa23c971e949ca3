// Command vault stands in for the client of Vault where a document's commands, or
// those of demo/, are tried: building the real one takes longer than all that is
// tried with it. It reads the arguments that are used there as the real one does,
// asks a real Vault, or runs one, and refuses all others.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	client, err := api.NewClient(api.DefaultConfig()) // reads VAULT_ADDR and VAULT_TOKEN
	if err != nil {
		return err
	}
	words, flags, values := sort(arguments)
	switch {
	case is(words, "server") && has(flags, "dev"):
		return develop(flags["dev-listen-address"])
	case is(words, "secrets", "list") && flags["format"] == "json":
		mounts, err := client.Sys().ListMounts()
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(mounts)
	case is(words, "read", "*") && has(flags, "field"):
		secret, err := client.Logical().Read(words[1])
		return printField(out, secret, flags["field"], err)
	case is(words, "secrets", "enable", "*"):
		return client.Sys().Mount(words[2], &api.MountInput{Type: words[2]})
	case is(words, "secrets", "tune", "*"):
		_, err := client.Logical().Write("sys/mounts/"+words[2]+"/tune", map[string]any{"max_lease_ttl": flags["max-lease-ttl"]})
		return err
	case is(words, "policy", "write", "*", "-"):
		rules, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return client.Sys().PutPolicy(words[2], string(rules))
	case is(words, "token", "create") && flags["field"] == "token":
		token, err := client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{flags["policy"]}, Period: flags["period"], NoParent: has(flags, "orphan")})
		if err == nil {
			_, err = io.WriteString(out, token.Auth.ClientToken)
		}
		return err
	case is(words, "write", "*"):
		secret, err := client.Logical().Write(words[1], values)
		if has(flags, "field") {
			return printField(out, secret, flags["field"], err)
		}
		return err
	}
	return fmt.Errorf("%q is not known here", arguments)
}

func printField(out io.Writer, secret *api.Secret, name string, err error) error {
	if err != nil {
		return err
	}
	if secret == nil || secret.Data[name] == nil {
		return fmt.Errorf("the answer has no %s", name)
	}
	_, err = fmt.Fprintln(out, secret.Data[name])
	return err
}

func has(flags map[string]string, name string) bool {
	_, has := flags[name]
	return has
}

// sort separates the words of a command from its flags and from what is written.
func sort(arguments []string) (words []string, flags map[string]string, values map[string]any) {
	flags, values = map[string]string{}, map[string]any{}
	for _, a := range arguments {
		key, value, assigned := strings.Cut(a, "=")
		switch {
		case len(a) > 1 && strings.HasPrefix(a, "-"):
			flags[strings.TrimLeft(key, "-")] = value
		case assigned:
			values[key] = value
		default:
			words = append(words, a)
		}
	}
	return words, flags, values
}

// is tells whether the words are those, "*" being any.
func is(words []string, pattern ...string) bool {
	return slices.EqualFunc(words, pattern, func(word, p string) bool { return p == "*" || word == p })
}
