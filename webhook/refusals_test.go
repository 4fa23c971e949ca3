package webhook_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/osm-edge/osm/webhook"
)

// refused is an object that the mesh cannot work with, and the same after what
// the refusal says was done.
type refused struct {
	// text is where the code says it, as function: text.
	text           string
	kind           string
	wrong, right   string
	old            string // the object before, if it is changed
	fieldAndAdvice []string
}

func refusals() []refused {
	const config, root = "MeshConfig", "MeshRootCertificate"
	certificate := func(fields string) string { return `{"spec":{"certificate":{` + fields + `}}}` }
	sidecar := func(fields string) string { return `{"spec":{"sidecar":{` + fields + `}}}` }
	traffic := func(fields string) string { return `{"spec":{"traffic":{` + fields + `}}}` }
	active := func(provider string) string { return `{"spec":{"role":"Active","provider":{` + provider + `}}}` }
	vault := func(fields string) string { return active(`"vault":{"role":"osm",` + fields + `}`) }
	const tresor, address, login = `"tresor":{"secretRef":{"name":"a"}}`, `"address":"https://vault:8200"`, `"auth":{"kubernetes":{"role":"osm"}}`
	return []refused{
		{"validity: not a Go duration", config, certificate(`"serviceCertValidityDuration":"1d"`), certificate(`"serviceCertValidityDuration":"24h"`), "", []string{"24h, 30m or 1h30m"}},
		{"validity: too short", config, certificate(`"serviceCertValidityDuration":"0s"`), certificate(`"serviceCertValidityDuration":"1m"`), "", []string{"at least 1m"}},
		{"validity: too short", config, certificate(`"serviceCertValidityDuration":"-24h"`), certificate(`"serviceCertValidityDuration":"1m"`), "", []string{"at least 1m"}},
		{"validity: too long", config, certificate(`"serviceCertValidityDuration":"87601h"`), certificate(`"serviceCertValidityDuration":"99h"`), "", []string{"at most 87600h"}},
		{"withinRoot: beyond the root, which expires at %s: use", config, certificate(`"serviceCertValidityDuration":"1001h"`), certificate(`"serviceCertValidityDuration":"999h59m"`), "", []string{"use 999h59m0s or less"}},
		{"oneOf: ", config, certificate(`"keyAlgorithm":"dsa"`), certificate(`"keyAlgorithm":"ecdsa-p256"`), "", []string{"spec.certificate.keyAlgorithm", `"ecdsa-p256"`}},
		{"image: not an image", config, sidecar(`"image":"a b"`), sidecar(`"image":"flomesh/pipy:1.5.18"`), "", []string{"spec.sidecar.image", "flomesh/pipy:1.5.18"}},
		{"image: not a digest", config, sidecar(`"image":"a@sha256:1"`), sidecar(`"image":"a@` + pinned + `"`), "", []string{"sha256: and 64 hexadecimal digits"}},
		{"resources: above the limit of ", config, sidecar(`"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}`), sidecar(`"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"1"}}`), "", []string{"spec.sidecar.resources.requests[cpu]", "lower the request, or raise the limit"}},
		{"quantities: ", config, sidecar(`"resources":{"limits":{"cpu":"-1"}}`), sidecar(`"resources":{"limits":{"cpu":"100m"}}`), "", []string{"spec.sidecar.resources.limits[cpu]", "negative: want an amount of cpu, such as 100m"}},
		{"each: ", config, traffic(`"inboundPortExclusions":[0]`), traffic(`"inboundPortExclusions":[1]`), "", []string{"inboundPortExclusions[0]", "from 1 to 65535"}},
		{"each: ", config, traffic(`"outboundIPRangeExclusions":["10.0.0.1"]`), traffic(`"outboundIPRangeExclusions":["10.0.0.1/32"]`), "", []string{"write 10.0.0.1/32"}},

		{"meshRootCertificate: not a SPIFFE trust domain", root, `{"spec":{"trustDomain":"Corp","role":"Active","provider":{` + tresor + `}}}`, `{"spec":{"trustDomain":"corp","role":"Active","provider":{` + tresor + `}}}`, "", []string{"spec.trustDomain", "lower-case"}},
		{"unchanged: it can't be changed", root, `{"spec":{"trustDomain":"b","role":"Active","provider":{` + tresor + `}}}`, `{"spec":{"trustDomain":"a","role":"Active","provider":{` + tresor + `}}}`, `{"spec":{"trustDomain":"a","role":"Active","provider":{` + tresor + `}}}`, []string{"make another MeshRootCertificate"}},
		{"unchanged: is %s and can't become %s", root, vault(address + `,` + login), active(tresor), active(tresor), []string{"spec.provider", "make another MeshRootCertificate, and this one Passive"}},
		{"retirement: ", root, `{"spec":{"role":"Inactive","provider":{` + tresor + `}}}`, `{"metadata":{"name":"mine","annotations":{"config.openservicemesh.io/force":"true"}},"spec":{"role":"Inactive","provider":{` + tresor + `}}}`, active(tresor), []string{"spec.role", "make another MeshRootCertificate Active first", "config.openservicemesh.io/force=true"}},
		{"provider: set exactly one", root, active(""), active(tresor), "", []string{"spec.provider", "tresor, vault and certManager"}},
		{"provider: sets ", root, active(tresor + `,"certManager":{"issuerRef":{"name":"a"}}`), active(tresor), "", []string{"keep exactly one"}},
		{"vault: ", root, vault(`"address":"vault:8200",` + login), vault(`"address":"https://vault.vault.svc:8200",` + login), "", []string{"spec.provider.vault.address", "https://vault.vault.svc:8200"}},
		{"caBundle: ", root, vault(address + `,"caBundle":"eA==",` + login), vault(address + `,` + login), "", []string{"spec.provider.vault.caBundle", "want PEM certificates"}},
		{"vaultAuth: set the Secret", root, vault(address), vault(address + `,` + login), "", []string{"spec.provider.vault.auth", "auth.kubernetes"}},
		{"vaultAuth: sets tokenSecretRef and kubernetes", root, vault(address + `,"auth":{"kubernetes":{"role":"osm"},"tokenSecretRef":{"name":"a","key":"b"}}`), vault(address + `,"auth":{"tokenSecretRef":{"name":"a","key":"b"}}`), "", []string{"keep exactly one"}},
		{"vaultAuth: ", root, vault(address + `,"auth":{"tokenSecretRef":{"name":"a","key":"b c"}}`), vault(address + `,"auth":{"tokenSecretRef":{"name":"a","key":"b-c"}}`), "", []string{"tokenSecretRef.key", "alphanumeric"}},
		{"checked: ", root, vault(address + `,"mount":"../sys",` + login), vault(address + `,"mount":"pki/mesh",` + login), "", []string{"spec.provider.vault.mount", "such as pki or team/pki"}},
		{"issuerReference: want a kind", root, active(`"certManager":{"issuerRef":{"name":"a","kind":"cluster issuer"}}`), active(`"certManager":{"issuerRef":{"name":"a","kind":"ClusterIssuer"}}`), "", []string{"issuerRef.kind", "such as Issuer or ClusterIssuer"}},
		{"issuerReference: cert-manager.io has no issuers but", root, active(`"certManager":{"issuerRef":{"name":"a","kind":"StepIssuer"}}`), active(`"certManager":{"issuerRef":{"name":"a","kind":"StepIssuer","group":"certmanager.step.sm"}}`), "", []string{"issuerRef.kind", "set the group of an external issuer"}},
		{"secretName: ", root, active(`"tresor":{"secretRef":{"name":""}}`), active(tresor), "", []string{"spec.provider.tresor.secretRef.name", "lowercase"}},
	}
}

// otherwise are refusals whose cases are elsewhere: of a root that has ended, and
// of fields that version v1alpha2 alone has.
var otherwise = []string{"withinRoot: beyond the root, which expires at %s, as any lifetime is: replace the root first", "Read: want %s"}

func TestWhatARefusalSaysHelps(t *testing.T) {
	texts, walked := refusalsOfTheCode(t), map[string]bool{}
	options := webhook.ValidatorOptions{
		RootNotAfter: func(context.Context) (time.Time, bool) { return time.Now().Add(1000 * time.Hour), true },
		RootUse: func(_ context.Context, name string) (webhook.RootUse, error) {
			return webhook.RootUse{Signs: true}, nil
		},
	}
	for _, r := range refusals() {
		t.Run(r.text, func(t *testing.T) {
			operation, old := admissionv1.Create, "{}"
			if r.old != "" {
				operation, old = admissionv1.Update, r.old
			}
			for _, text := range texts {
				if strings.HasPrefix(text, r.text) {
					walked[text] = true
				}
			}
			_, says, _ := strings.Cut(r.text, ": ")
			says, _, _ = strings.Cut(says, "%s")
			expect(t, validate(t, options, validationOf(operation, "v1", r.kind, r.wrong, old)), append(r.fieldAndAdvice, says))
			expect(t, validate(t, options, validationOf(operation, "v1", r.kind, r.right, old)), nil)
		})
	}
	for _, text := range texts {
		if !walked[text] && !slices.Contains(otherwise, text) {
			t.Errorf("no case is refused by %q, and accepted after", text)
		}
	}
}

func TestNoLifetimeIsShortEnoughForARootThatHasEnded(t *testing.T) {
	for _, left := range []time.Duration{-time.Hour, 0, 30 * time.Second} {
		options := webhook.ValidatorOptions{RootNotAfter: func(context.Context) (time.Time, bool) { return time.Now().Add(left), true }}
		request := validationOf(admissionv1.Create, "v1", "MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"1m"}}}`, "{}")
		expect(t, validate(t, options, request), []string{"as any lifetime is: replace the root first"})
	}
}

var verbs = regexp.MustCompile(`%\w`)

// refusalsOfTheCode are the texts that fields are refused with, by function. One
// that another makes is empty.
func refusalsOfTheCode(t *testing.T) (all []string) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.go", "../manifests/crd/validate/*.go"} {
		matched, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, matched...)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || strings.HasSuffix(name, "_test.go") {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				of, ok := call.Fun.(*ast.SelectorExpr)
				if pkg, isName := identifier(of); ok && isName && pkg == "field" && slices.Contains([]string{"Invalid", "Forbidden", "Required", "NotSupported"}, of.Sel.Name) {
					all = append(all, function.Name.Name+": "+verbs.ReplaceAllString(firstText(call.Args[len(call.Args)-1]), "%s"))
				}
				return true
			})
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d refusals are found: %q", len(all), all)
	}
	return all
}

func identifier(of *ast.SelectorExpr) (string, bool) {
	if of == nil {
		return "", false
	}
	name, ok := of.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return name.Name, true
}

func firstText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		if text := firstText(e.X); text != "" {
			return text + "%s"
		}
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return firstText(e.Args[0])
		}
	}
	return ""
}
