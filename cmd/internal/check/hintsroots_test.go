package check

import (
	"crypto/x509"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func hintsOfRoots() []hint {
	const root, secret, record = "MeshRootCertificate mesh-east/east-authority", "Secret mesh-east/east-root", "ConfigMap mesh-east/osm-trust-bundle"
	const refusal = "secret mesh-east/given is refused: key \"ca.crt\": the certificate expired at …" + issuer.ToFix + "put the root certificate there that the issuer's chains end with: kubectl create secret generic given -n mesh-east --from-file=ca.crt --dry-run=client -o yaml | kubectl replace -f -"
	role := func(r v1.Role) func(*world) { return func(w *world) { w.Roots[0].Spec.Role = r } }
	certManager, vault := provides(certManagerProvider), provides(vaultProvider)
	return []hint{
		{"there is no MeshRootCertificate", "roots: no MeshRootCertificate of it is Active: no certificate is issued or renewed", "Namespace mesh-east", "rollout restart", func(w *world) { w.Roots = nil }, nil},
		{"none is Active", "roots: no MeshRootCertificate of it is Active: no certificate is issued or renewed", "Namespace mesh-east", "", role(v1.Passive), nil},
		{"all are Revoked", "roots: no MeshRootCertificate of it is Active: no certificate is issued or renewed", "Namespace mesh-east", "create another", role(v1.Revoked),
			func(w *world) { w.Roots = append(w.Roots, tresorRoot("next", v1.Active, "next-root")); w.bootstrap() }},
		{"one is new", "authority: osm-controller has not taken notice of it yet", root, "", func(w *world) { w.Roots[0].Generation = 2 }, func(w *world) { w.follow() }},
		{"one is new, and osm-controller is scaled to nothing", "authority: osm-controller has not taken notice of it yet", root, "", both(func(w *world) { w.Roots[0].Generation = 2 }, scaledAway("osm-controller")), nil},
		{"its Secret was missing when it was looked for", "authority: it cannot be used (%s): %s", root, "", unready(v1.ReasonSecretMissing, "secret mesh-east/east-root is not there"), nil},
		{"its Secret cannot be read", "authority: it cannot be used (%s): %s", root, "kubectl logs", unready(v1.ReasonUnreachable, "read secret mesh-east/east-root: forbidden"), ready},
		{"its trust domain is another", "authority: it cannot be used (%s): %s", root, "kubectl edit mrc -n mesh-east east-authority", unready(v1.ReasonRefused, `its trust domain is "a", and that of the mesh is "b"`), ready},
		{"Vault is away", "authority: it cannot be used (%s): %s", root, "see that Vault answers at https://vault:8200", both(vault, unready(v1.ReasonUnreachable, "vault at https://vault:8200 cannot be reached")), ready},
		{"Vault's token is missing", "authority: it cannot be used (%s): %s", root, "kubectl create secret generic token -n mesh-east --from-file=it && kubectl annotate secret -n mesh-east token openservicemesh.io/vault-address=https://vault:8200",
			both(vault, unready(v1.ReasonSecretMissing, "secret mesh-east/token is not there, with the token for Vault: create it")), nil},
		{"Vault's root forbids the names", "authority: it cannot be used (%s): %s", root, "have the role pki/roles/osm sign below a root that may certify the names of the mesh: kubectl describe mrc -n mesh-east east-authority",
			both(vault, unready(v1.ReasonRefused, "vault's root is not trusted"+issuer.ToFix+"have the role pki/roles/osm sign below a root that may certify the names of the mesh")), ready},
		{"Vault has no such role", "authority: it cannot be used (%s): %s", root, "change in Vault what the message names", both(vault, unready(v1.ReasonFailing, "vault at https://vault:8200 has no role mesh/pki/roles/osm: write it")), ready},
		{"Vault has roots of others", "authority: what another says", root, "delete those issuers in Vault", both(vault, noted(v1.ReasonRootsRefused)), ready},
		{"Vault's token ends", "authority: what another says", root, "vault token create -orphan -period=24h, into the file it: kubectl create secret generic token -n mesh-east --from-file=it --dry-run=client", both(vault, noted(v1.ReasonTokenEnds)), nil},
		{"Vault shortens lifetimes", "authority: what another says", root, "vault secrets tune -max-lease-ttl=87600h", both(vault, noted(v1.ReasonLifetimesShortened)), ready},
		{"one of cert-manager's roots has ended", "authority: what another says", root, "kubectl describe mrc -n mesh-east east-authority", both(certManager, noted(v1.ReasonRootsLeftOut)), ready},
		{"Vault is asked over http", "plainVault: Vault is asked over http at %s: anyone on the way reads the mesh's login, and can have certificates signed for any name", root, "begin with https",
			both(vault, func(w *world) { w.Roots[0].Spec.Provider.Vault.Address = "http://vault" }), func(w *world) { vault(w) }},
		{"cert-manager's roots have ended", "authority: it cannot be used (%s): %s", root, "kubectl create secret generic given -n mesh-east --from-file=ca.crt", both(certManager, unready(v1.ReasonRefused, refusal)), ready},
		{"cert-manager says why it does not sign", "authority: it cannot be used (%s): %s", root, "see that cert-manager runs: kubectl describe ClusterIssuer.cert-manager.io -n mesh-east ca",
			both(certManager, unready(v1.ReasonFailing, "it is not ready"+issuer.ToFix+"correct what it reports, and see that cert-manager runs")), ready},
		{"cert-manager does not sign", "authority: it cannot be used (%s): %s", root, "kubectl describe ClusterIssuer.cert-manager.io -n mesh-east ca", both(certManager, unready(v1.ReasonFailing, "it is not ready")), ready},

		{"the root's Secret is gone", "rootSecret: it does not exist: osm-bootstrap makes a new root, or you put your backup there", secret, "", func(w *world) { delete(w.Secrets, walkRoot) }, nil},
		{"the root's Secret is gone, and so is osm-bootstrap", "rootSecret: it does not exist: osm-bootstrap makes a new root, or you put your backup there", secret, "osm upgrade",
			func(w *world) { delete(w.Secrets, walkRoot); delete(w.Deployments, "osm-bootstrap") }, nil},
		{"the key is no key", "rootSecret: key %q: %s", secret, "put the PEM private key of ca.crt there", secretKey("private.key", "garbage"), nil},
		{"the certificate is missing", "rootSecret: key %q: %s", secret, "put the PEM certificate of one root CA there", secretKey("ca.crt", ""), nil},
		{"the expiration is another", "rootSecret: key %q: %s", secret, "remove that key", secretKey("expiration", "2001-01-01T00:00:00.000Z"), nil},
		{"a Secret that never changes is refused", "rootSecret: key %q: %s", secret, "it is immutable", both(secretKey("private.key", "garbage"), func(w *world) { w.Secrets[walkRoot].Immutable = new(true) }), nil},
		{"the root forbids the names", "rootSecret: key %q: %s", secret, "put the PEM certificate of one root CA there", constrained, nil},
		{"the root is new", "rootSecret: its root is not trusted yet: osm-controller has not begun to distribute it", secret, "",
			func(w *world) { w.Secrets[walkRoot] = rootIn(w.t, walkRoot, makePair(w.t, nil, asItIs)) }, func(w *world) { w.follow() }},
		{"there is no room for the root", "rootSecret: its root is not trusted yet: the mesh trusts %s, and no more at once", secret, "reason=RootWaits", func(w *world) {
			var many []*x509.Certificate
			for range rotation.MaxRoots {
				many = append(many, makePair(w.t, nil, asItIs).Certificate)
			}
			w.record(rotation.Idle, 0, many...)
		}, func(w *world) { w.follow() }},
		{"a replica has a warning", "issuers: what another says", "Pod mesh-east/osm-controller-1", "kubectl get mrc -n mesh-east",
			func(w *world) {
				w.Replicas = []Replica{{Pod: "osm-controller-1", Warnings: []string{"the issuer fails"}}}
			}, func(w *world) { w.Replicas = nil }},

		{"the root has ended", "lifetimes: it expired at %s", "", "kubectl delete secret -n mesh-east east-root", signedBy(ends(-time.Hour)), nil},
		{"the root ends now", "lifetimes: it signs, and expires in %s", "", "", signedBy(ends(30 * time.Second)), nil},
		{"the root ends soon", "lifetimes: it signs, and expires in %s", "", "", signedBy(ends(60 * 24 * time.Hour)), nil},
		{"an operator's root ends soon", "lifetimes: it signs, and expires in %s", "", "--from-file=ca.crt --from-file=private.key", both(signedBy(ends(60*24*time.Hour)), foreign), nil},
		{"a root that is being replaced ends soon", "lifetimes: it signs, and expires in %s", "", "another one is about to replace it: osm ca show --osm-namespace mesh-east", both(signedBy(ends(60*24*time.Hour)), func(w *world) {
			w.record(rotation.Distribute, time.Second, keyPair(w.t, w.Secrets[walkRoot]).Certificate)
		}), anotherRoot},
		{"Vault's root ends soon", "lifetimes: it signs, and expires in %s", "", "vault write mesh/pki/root/rotate/internal", both(signedBy(ends(60*24*time.Hour)), vault), anotherRoot},
		{"Vault's root ends soon, and its roots are in a Secret", "lifetimes: it signs, and expires in %s", "", "before it signs, add it to ca.crt of Secret mesh-east/given, beside the old one: kubectl create secret generic given -n mesh-east --from-file=ca.crt", both(signedBy(ends(60*24*time.Hour)), vault, func(w *world) {
			w.Roots[0].Spec.Provider.Vault.RootsSecretRef = &v1.SecretReference{Name: "given"}
		}), anotherRoot},
		{"cert-manager's root ends soon", "lifetimes: it signs, and expires in %s", "", "kubectl create secret generic given -n mesh-east --from-file=ca.crt", both(signedBy(ends(60*24*time.Hour)), certManager), anotherRoot},
		{"cert-manager's root has ended", "lifetimes: it expired at %s", "", "have cert-manager's ClusterIssuer ca use it", both(signedBy(ends(-time.Hour)), certManager), anotherRoot},
		{"the root is of tomorrow", "lifetimes: it signs, and is not valid before %s", "", "synchronise the clocks", signedBy(func(c *x509.Certificate) { c.NotBefore = c.NotBefore.AddDate(0, 0, 2) }), nil},

		{"nothing is recorded", "trust: it does not exist: osm-controller has not recorded a root yet", record, "", func(w *world) { w.Record = nil }, settled},
		{"the record is malformed", "trust: it is malformed, and osm-controller has not written it anew: %s", record, "", func(w *world) { w.Record.Data[rotation.BundleKey] = "-" }, settled},
		{"nothing may sign", "trust: no root of it may sign", record, "", func(w *world) { w.Record.Data["rotation.json"] = "{}" }, settled},
		{"a namespace has no roots", "copied: it does not exist: pods wait for it; osm-controller publishes it", "ConfigMap books/osm-trust-bundle", "", func(w *world) { delete(w.Copies, "books") }, func(w *world) { w.publish() }},
		{"a namespace has what another made", "copied: something else made it: its labels are not %s", "ConfigMap books/osm-trust-bundle", "", func(w *world) { w.Copies["books"].Labels = nil }, nil},
		{"a namespace has no certificates", "copied: key %q is malformed: %s", "ConfigMap books/osm-trust-bundle", "", func(w *world) { w.Copies["books"].Data = nil }, nil},
		{"a namespace has other roots", "copied: it holds %s, and the mesh trusts others: %s", "ConfigMap books/osm-trust-bundle", "", func(w *world) {
			w.Copies["books"].Data = map[string]string{rotation.BundleKey: string(w.files["ca.crt"])}
		}, nil},

		{"a root is distributed for hours", "rotation: the new root has been distributed for %s and does not sign yet", root, "", rotating(rotation.Distribute, 3*time.Hour, v1.RotationStatus{}), settled},
		{"pods are late", "rotation: %d of %s acknowledged the new root; missing: %s", root, "rollout restart -n books deployment/buyer",
			rotating(rotation.Distribute, time.Minute, v1.RotationStatus{Pods: 3, Acknowledged: 2, Missing: []string{"books/buyer", "shop/web"}}), nil},
		{"certificates stay", "rotation: %d of %s replaced after %s", root, "", rotating(rotation.Sign, time.Hour, v1.RotationStatus{Certificates: 4, Replaced: 1}), settled},
		{"no status says how many stay", "rotation: osm-controller has not reported for %s how many certificates are replaced", root, "", rotating(rotation.Sign, time.Hour, v1.RotationStatus{}), settled},
	}
}
