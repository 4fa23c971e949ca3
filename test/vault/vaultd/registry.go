package main

import (
	"maps"
	"slices"

	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

// registry holds the plugins that are built in, by their kind and name: those that the mesh's tests need, of the hundred
// that Vault has.
type registry map[consts.PluginType]map[string]logical.Factory

func builtin() registry {
	return registry{
		consts.PluginTypeSecrets:    {"pki": pki.Factory},
		consts.PluginTypeCredential: {"approle": approle.Factory, "kubernetes": kubernetes.Factory},
	}
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := r[kind][name]
	return func() (any, error) { return factory, nil }, ok
}

func (r registry) Keys(kind consts.PluginType) []string { return slices.Collect(maps.Keys(r[kind])) }

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
