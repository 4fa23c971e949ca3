package render

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
)

func TestValuesThatAreWrongAreRefusedByName(t *testing.T) {
	provider := func(key string, value any) map[string]any {
		return map[string]any{"certificateProvider": map[string]any{key: value}}
	}
	injector := func(key string, value any) map[string]any {
		return map[string]any{"injector": map[string]any{key: value}}
	}
	list := func(key string, item any) map[string]any { return map[string]any{key: []any{item}} }
	limit := func(resource string, quantity any) map[string]any {
		return map[string]any{"sidecarResources": map[string]any{"limits": map[string]any{resource: quantity}}}
	}
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"an unknown provider":            {provider("kind", "letsencrypt"), "/osm/certificateProvider/kind"},
		"a duration without unit":        {provider("serviceCertValidityDuration", "24"), "/osm/certificateProvider/serviceCertValidityDuration"},
		"a duration of days":             {provider("serviceCertValidityDuration", "1d"), "/osm/certificateProvider/serviceCertValidityDuration"},
		"a duration below zero":          {provider("serviceCertValidityDuration", "-1h"), "/osm/certificateProvider/serviceCertValidityDuration"},
		"a duration that is a number":    {provider("serviceCertValidityDuration", 24), "/osm/certificateProvider/serviceCertValidityDuration"},
		"the guide's duration, wrong":    {map[string]any{"serviceCertValidityDuration": "1d"}, "/osm/serviceCertValidityDuration"},
		"an unknown key algorithm":       {provider("keyAlgorithm", "dsa"), "/osm/certificateProvider/keyAlgorithm"},
		"an RSA key that is too short":   {provider("certKeyBitSize", 1024), "/osm/certificateProvider/certKeyBitSize"},
		"an RSA key size in words":       {provider("certKeyBitSize", "2048"), "/osm/certificateProvider/certKeyBitSize"},
		"a deadline of a day":            {provider("rotationDeadline", "1d"), "/osm/certificateProvider/rotationDeadline"},
		"a clock skew below zero":        {map[string]any{"clockSkew": "-5m"}, "/osm/clockSkew"},
		"a clock skew of no unit":        {map[string]any{"clockSkew": 0}, "/osm/clockSkew"},
		"a root renewed too early":       {provider("rootRenewalPercent", 51), "/osm/certificateProvider/rootRenewalPercent"},
		"a renewal in words":             {provider("rootRenewalPercent", "10"), "/osm/certificateProvider/rootRenewalPercent"},
		"a mesh name with a space":       {map[string]any{"meshName": "my mesh"}, "/osm/meshName"},
		"an empty mesh name":             {map[string]any{"meshName": ""}, "/osm/meshName"},
		"a trust domain in capitals":     {map[string]any{"trustDomain": "Cluster.Local"}, "/osm/trustDomain"},
		"a secret name that is a list":   {map[string]any{"caBundleSecretName": "a, b"}, "/osm/caBundleSecretName"},
		"an empty secret name":           {map[string]any{"caBundleSecretName": ""}, "/osm/caBundleSecretName"},
		"a webhook prefix in capitals":   {map[string]any{"webhookConfigNamePrefix": "OSM"}, "/osm/webhookConfigNamePrefix"},
		"an unknown log level":           {map[string]any{"controllerLogLevel": "trace"}, "/osm/controllerLogLevel"},
		"an unknown pull policy":         {map[string]any{"image": map[string]any{"pullPolicy": "Sometimes"}}, "/osm/image/pullPolicy"},
		"no replica":                     {injector("replicaCount", 0), "/osm/injector/replicaCount"},
		"a budget in a word":             {injector("enablePodDisruptionBudget", "yes"), "/osm/injector/enablePodDisruptionBudget"},
		"a scale in a word":              {injector("autoScale", map[string]any{"enable": "yes"}), "/osm/injector/autoScale/enable"},
		"a scale that is removed":        {injector("autoScale", nil), "'autoScale'"},
		"a scale from no replica":        {injector("autoScale", map[string]any{"minReplicas": 0}), "/osm/injector/autoScale/minReplicas"},
		"a scale at no use":              {injector("autoScale", map[string]any{"cpu": map[string]any{"targetAverageUtilization": 0}}), "/osm/injector/autoScale/cpu/targetAverageUtilization"},
		"half a replica":                 {injector("replicaCount", 1.5), "/osm/injector/replicaCount"},
		"a timeout of no time":           {injector("webhookTimeoutSeconds", 0), "/osm/injector/webhookTimeoutSeconds"},
		"an unknown placement":           {injector("sidecarPlacement", "first"), "/osm/injector/sidecarPlacement"},
		"an unknown interception":        {injector("interception", "iptables"), "/osm/injector/interception"},
		"an unknown sidecar log level":   {map[string]any{"sidecarLogLevel": "trace"}, "/osm/sidecarLogLevel"},
		"an image with half a digest":    {map[string]any{"sidecarImage": "pipy@sha256:abc"}, "/osm/sidecarImage"},
		"a digest that is a tag":         {map[string]any{"image": map[string]any{"digest": map[string]any{"osmInit": "v1"}}}, "/osm/image/digest/osmInit"},
		"a digest of no one's":           {map[string]any{"image": map[string]any{"digest": map[string]any{"osmInjektor": pinned}}}, "/osm/image/digest"},
		"a roots Secret of no name":      {map[string]any{"vault": map[string]any{"rootsSecret": "My Roots"}}, "/osm/vault/rootsSecret"},
		"an image with a space":          {map[string]any{"sidecarImage": "pipy latest"}, "/osm/sidecarImage"},
		"privileged in a word":           {map[string]any{"enablePrivilegedInitContainer": "yes"}, "/osm/enablePrivilegedInitContainer"},
		"a port that is zero":            {list("inboundPortExclusionList", 0), "/osm/inboundPortExclusionList/0"},
		"a port that is too high":        {list("outboundPortExclusionList", 65536), "/osm/outboundPortExclusionList/0"},
		"a port in words":                {list("outboundPortExclusionList", "80"), "/osm/outboundPortExclusionList/0"},
		"ports that are no list":         {map[string]any{"outboundPortExclusionList": "80,443"}, "/osm/outboundPortExclusionList"},
		"a range without a length":       {list("outboundIPRangeExclusionList", "10.0.0.1"), "/osm/outboundIPRangeExclusionList/0"},
		"a range that is too long":       {list("outboundIPRangeExclusionList", "10.0.0.0/33"), "/osm/outboundIPRangeExclusionList/0"},
		"a range of IPv6, too long":      {list("outboundIPRangeInclusionList", "fd00::/129"), "/osm/outboundIPRangeInclusionList/0"},
		"two ranges in one":              {list("outboundIPRangeInclusionList", "10.0.0.0/8,fd00::/8"), "/osm/outboundIPRangeInclusionList/0"},
		"an interface with a slash":      {list("networkInterfaceExclusionList", "net/1"), "/osm/networkInterfaceExclusionList/0"},
		"two interfaces in one":          {list("networkInterfaceExclusionList", "net1,net2"), "/osm/networkInterfaceExclusionList/0"},
		"an interface's name too long":   {list("networkInterfaceExclusionList", "sixteen-letters-"), "/osm/networkInterfaceExclusionList/0"},
		"an interface that is a folder":  {list("networkInterfaceExclusionList", ".."), "/osm/networkInterfaceExclusionList/0"},
		"a quantity with a space":        {limit("cpu", "1 core"), "/osm/sidecarResources/limits/cpu"},
		"a quantity below zero":          {limit("memory", "-1Mi"), "/osm/sidecarResources/limits/memory"},
		"a number below zero":            {limit("cpu", -1), "/osm/sidecarResources/limits/cpu"},
		"a resource of no container":     {limit("storage", "1Gi"), "/osm/sidecarResources/limits"},
		"resources that are misspelt":    {map[string]any{"sidecarResources": map[string]any{"limit": map[string]any{}}}, "/osm/sidecarResources"},
		"a timeout that is too long":     {injector("webhookTimeoutSeconds", 31), "/osm/injector/webhookTimeoutSeconds"},
		"a placement that is removed":    {injector("sidecarPlacement", nil), "'sidecarPlacement'"},
		"a log level that is removed":    {map[string]any{"sidecarLogLevel": nil}, "'sidecarLogLevel'"},
		"a provider that is removed":     {map[string]any{"certificateProvider": nil}, "'certificateProvider'"},
		"a value that is misspelt":       {map[string]any{"trustdomain": "mesh.example"}, "'trustdomain'"},
		"a provider's, misspelt":         {provider("keyAlgo", "rsa-2048"), "'keyAlgo'"},
		"an image's, misspelt":           {map[string]any{"image": map[string]any{"version": "1"}}, "'version'"},
		"a component's, misspelt":        {injector("replicas", 2), "'replicas'"},
		"another component's":            {map[string]any{"osmController": map[string]any{"webhookTimeoutSeconds": 5}}, "'webhookTimeoutSeconds'"},
		"a scale, misspelt":              {injector("autoScale", map[string]any{"enabled": true}), "'enabled'"},
		"an unknown effect of a taint":   {injector("tolerations", []any{map[string]any{"effect": "Never"}}), "/osm/injector/tolerations/0/effect"},
		"a pull secret by name only":     {list("imagePullSecrets", "registry"), "/osm/imagePullSecrets/0"},
		"a label with a space":           {injector("podLabels", map[string]any{"team": "my team"}), "/osm/injector/podLabels/team"},
		"a label that is no string":      {map[string]any{"monitoring": map[string]any{"labels": map[string]any{"a": true}}}, "/osm/monitoring/labels/a"},
		"policies in a word":             {map[string]any{"networkPolicies": map[string]any{"enable": "yes"}}, "/osm/networkPolicies/enable"},
		"a priority with a space":        {map[string]any{"priorityClassName": "very high"}, "/osm/priorityClassName"},
		"a component that is not a dict": {map[string]any{"osmController": "on"}, "/osm/osmController"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Chart(Options{Namespace: "osm-system", Values: osm(test.values)}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}

func TestValuesReachWhomTheyAreFor(t *testing.T) {
	tests := map[string]struct {
		values    map[string]any
		component string
		want      string
	}{
		"a duration":                             {map[string]any{"certificateProvider": map[string]any{"serviceCertValidityDuration": "1h30m"}}, "osm-controller", "--service-cert-validity-duration=1h30m"},
		"a duration as the guide has it":         {map[string]any{"serviceCertValidityDuration": "1.5h"}, "osm-controller", "--service-cert-validity-duration=1.5h"},
		"an algorithm":                           {map[string]any{"certificateProvider": map[string]any{"keyAlgorithm": "ed25519"}}, "osm-controller", "--key-algorithm=ed25519"},
		"an RSA key size":                        {map[string]any{"certificateProvider": map[string]any{"certKeyBitSize": 2048}}, "osm-controller", "--key-algorithm=rsa-2048"},
		"an RSA key size, as JSON has numbers":   {map[string]any{"certificateProvider": map[string]any{"certKeyBitSize": 4096.0}}, "osm-controller", "--key-algorithm=rsa-4096"},
		"a trust domain, to the controller":      {map[string]any{"trustDomain": "mesh.example"}, "osm-controller", "--trust-domain=mesh.example"},
		"a trust domain, to the injector":        {map[string]any{"trustDomain": "mesh.example"}, "osm-injector", "--trust-domain=mesh.example"},
		"a secret name, to the bootstrap":        {map[string]any{"caBundleSecretName": "my-root"}, "osm-bootstrap", "--ca-bundle-secret-name=my-root"},
		"a secret name, to the controller":       {map[string]any{"caBundleSecretName": "my-root"}, "osm-controller", "--ca-bundle-secret-name=my-root"},
		"when a root is renewed, as JSON has it": {map[string]any{"certificateProvider": map[string]any{"rootRenewalPercent": 25.0}}, "osm-bootstrap", "--root-renewal-percent=25"},
		"a deadline":                             {map[string]any{"certificateProvider": map[string]any{"rotationDeadline": "1h30m"}}, "osm-controller", "--rotation-deadline=1h30m"},
		"a clock skew":                           {map[string]any{"clockSkew": "0s"}, "osm-controller", "--clock-skew=0s"},
		"that no root is renewed":                {map[string]any{"certificateProvider": map[string]any{"rootRenewalPercent": 0}}, "osm-bootstrap", "--root-renewal-percent=0"},
		"a webhook prefix and mesh name":         {map[string]any{"webhookConfigNamePrefix": "w", "meshName": "m"}, "osm-bootstrap", "--mutating-webhook=w-m"},
		"a mesh name, to the validator's":        {map[string]any{"meshName": "m"}, "osm-bootstrap", "--validating-webhook=osm-validator-mesh-m"},
		"a sidecar's image":                      {map[string]any{"sidecarImage": "example/pipy:1"}, "osm-injector", "--sidecar-image=example/pipy:1"},
		"a pull policy, to the pods' images":     {map[string]any{"image": map[string]any{"pullPolicy": "Always"}}, "osm-injector", "--image-pull-policy=Always"},
		"a registry, to the init containers":     {map[string]any{"image": map[string]any{"registry": "r.example", "tag": "v1"}}, "osm-injector", "--init-image=r.example/osm-init:v1"},
		"a digest, to osm-init":                  {digests("osmInit"), "osm-injector", "--init-image=flomesh/osm-init@" + pinned},
		"a digest, as osm-edge calls it":         {digests("osmSidecarInit"), "osm-injector", "--init-image=flomesh/osm-init@" + pinned},
		"a sidecar's digest":                     {map[string]any{"sidecarImage": "flomesh/pipy@" + pinned}, "osm-injector", "--sidecar-image=flomesh/pipy@" + pinned},
		"where a token may be sent":              {vaultAt("https"), "osm-controller", "--vault-address=https://vault.example:8200"},
		"which token may be sent there":          {vaultAt("https"), "osm-controller", "--vault-token-secret=token/key"},
		"secrets that pods pull with":            {map[string]any{"imagePullSecrets": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}}, "osm-injector", "--image-pull-secrets=a,b"},
		"a sidecar's log level":                  {map[string]any{"sidecarLogLevel": "error"}, "osm-injector", "--sidecar-log-level=error"},
		"a sidecar's resources":                  {map[string]any{"sidecarResources": map[string]any{"limits": map[string]any{"cpu": 1, "memory": "64Mi"}}}, "osm-injector", `--sidecar-resources={"limits":{"cpu":1,"memory":"64Mi"}}`},
		"privileged init containers":             {map[string]any{"enablePrivilegedInitContainer": true}, "osm-injector", "--privileged-init=true"},
		"a placement":                            {map[string]any{"injector": map[string]any{"sidecarPlacement": "container"}}, "osm-injector", "--sidecar-placement=container"},
		"no interception":                        {map[string]any{"injector": map[string]any{"interception": "none"}}, "osm-injector", "--interception=none"},
		"inbound ports":                          {map[string]any{"inboundPortExclusionList": []any{80, 443}}, "osm-injector", "--inbound-port-exclusion-list=80,443"},
		"outbound ports, as JSON has numbers":    {map[string]any{"outboundPortExclusionList": []any{6379.0, 65535.0}}, "osm-injector", "--outbound-port-exclusion-list=6379,65535"},
		"excluded ranges":                        {map[string]any{"outboundIPRangeExclusionList": []any{"1.1.1.1/32", "fd00::/8"}}, "osm-injector", "--outbound-ip-range-exclusion-list=1.1.1.1/32,fd00::/8"},
		"included ranges":                        {map[string]any{"outboundIPRangeInclusionList": []any{"10.0.0.0/8"}}, "osm-injector", "--outbound-ip-range-inclusion-list=10.0.0.0/8"},
		"interfaces":                             {map[string]any{"networkInterfaceExclusionList": []any{"net1", "eth-0.5"}}, "osm-injector", "--network-interface-exclusion-list=net1,eth-0.5"},
		"a list that is taken away":              {map[string]any{"outboundPortExclusionList": nil}, "osm-injector", "--outbound-port-exclusion-list="},
		"a log level":                            {map[string]any{"controllerLogLevel": "debug"}, "osm-bootstrap", "--log-level=debug"},
		"values that an older release also had":  {map[string]any{"enforceSingleMesh": true}, "osm-bootstrap", "--mesh-name=osm"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mustHaveArgs(t, mustRender(t, Options{Namespace: "osm-system", Values: osm(test.values)}), test.component, test.want)
		})
	}
}

func TestTheMutatingWebhookIsNamedAndTimedAsSet(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{
		"meshName": "m", "webhookConfigNamePrefix": "w", "injector": map[string]any{"webhookTimeoutSeconds": 30},
	})})
	w := find[admissionregistrationv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", "w-m").Webhooks[0]
	if *w.TimeoutSeconds != 30 {
		t.Errorf("the timeout is %d s", *w.TimeoutSeconds)
	}
	if !slices.Equal(w.NamespaceSelector.MatchExpressions[0].Values, []string{"m"}) {
		t.Errorf("it selects namespaces of mesh %q", w.NamespaceSelector.MatchExpressions[0].Values)
	}
}

func TestImagesComeFromTheRegistry(t *testing.T) {
	tests := map[string]struct {
		image map[string]any
		want  string
	}{
		"a registry and a tag": {map[string]any{"registry": "registry.example/osm", "tag": "v1"}, "registry.example/osm/osm-injector:v1"},
		"no registry":          {map[string]any{"registry": "", "tag": "v1"}, "osm-injector:v1"},
		"no tag":               {map[string]any{"registry": "osm"}, "osm/osm-injector:0.1.0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{"image": test.image})})
			if got := find[appsv1.Deployment](t, objects, "Deployment", "osm-injector").Spec.Template.Spec.Containers[0].Image; got != test.want {
				t.Errorf("the image is %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheCallersValuesAreLeftAlone(t *testing.T) {
	values := func() map[string]any {
		return osm(map[string]any{"certificateProvider": map[string]any{"kind": "tresor"}})
	}
	given := values()
	mustRender(t, Options{Namespace: "osm-system", Values: given})
	if !reflect.DeepEqual(given, values()) {
		t.Errorf("they became %v", given)
	}
}

const pinned = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func digests(of ...string) map[string]any {
	all := map[string]any{}
	for _, component := range of {
		all[component] = pinned
	}
	return map[string]any{"image": map[string]any{"digest": all, "tag": "v1"}}
}

func vaultAt(protocol string) map[string]any {
	return map[string]any{
		"certificateProvider": map[string]any{"kind": "vault"},
		"vault":               map[string]any{"protocol": protocol, "host": "vault.example", "secret": map[string]any{"name": "token", "key": "key"}},
	}
}

func TestEveryComponentsImageCanBePinned(t *testing.T) {
	objects, err := Chart(Options{Namespace: "osm-system", Values: osm(digests("osmBootstrap", "osmInjector", "osmController"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"osm-bootstrap", "osm-injector", "osm-controller"} {
		got := find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Template.Spec.Containers[0].Image
		if want := "flomesh/" + component + "@" + pinned; got != want {
			t.Errorf("the image is %s, want %s", got, want)
		}
	}
}
