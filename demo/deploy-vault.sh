#!/usr/bin/env bash
# Runs a Vault in development mode in the cluster that kubectl uses, and sets up
# its PKI for the mesh. It is for trying the mesh out: this Vault keeps
# everything in memory, the root's key included, and speaks plain HTTP. Over that, the
# mesh believes no root but the one that is put into a Secret here.
#
# Needs K8S_NAMESPACE and VAULT_TOKEN, from the environment or from .env: see
# .env.example. A second run sets up what a restart of Vault has lost.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -f .env ]]; then
  # shellcheck disable=SC1091 # everyone has another
  source .env
fi
: "${K8S_NAMESPACE:?set it to the namespace of the mesh, such as osm-system}"
: "${VAULT_TOKEN:?set it to the root token that Vault is to start with}"
VAULT_ROLE=${VAULT_ROLE:-openservicemesh}
VAULT_IMAGE=${VAULT_IMAGE:-hashicorp/vault:1.13}
host=vault.$K8S_NAMESPACE.svc.cluster.local
address=http://$host:8200
root_secret=vault-root

# The token is never an argument: it reaches kubectl on standard input, and
# Vault by a Secret. Applied by the server, it is not kept in an annotation too.
token_secret() {
  cat <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: vault-token
  namespace: $K8S_NAMESPACE
  labels: {app: vault}
  annotations: {openservicemesh.io/vault-address: "$address"} # where it may be sent
type: Opaque
data:
  token: $(printf %s "$VAULT_TOKEN" | base64 | tr -d '\n')
YAML
}

# The root is read by kubectl, over the API server's TLS, and not over the network.
roots() {
  cat <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: $root_secret
  namespace: $K8S_NAMESPACE
  labels: {app: vault}
type: Opaque
data:
  ca.crt: $(printf '%s\n' "$1" | base64 | tr -d '\n')
YAML
}

vault_server() {
  cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: vault
  namespace: $K8S_NAMESPACE
  labels: {app: vault}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: vault}}
  template:
    metadata:
      labels: {app: vault}
      annotations: {openservicemesh.io/sidecar-injection: disabled}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: vault
          image: $VAULT_IMAGE
          command: [vault, server, -dev, -dev-listen-address=0.0.0.0:8200]
          env:
            - name: VAULT_DEV_ROOT_TOKEN_ID
              valueFrom: {secretKeyRef: {name: vault-token, key: token}}
            - name: VAULT_TOKEN
              valueFrom: {secretKeyRef: {name: vault-token, key: token}}
            - {name: VAULT_ADDR, value: "http://127.0.0.1:8200"}
            - {name: HOME, value: /tmp} # where the development mode leaves its token
          ports: [{name: http, containerPort: 8200}]
          readinessProbe:
            httpGet: {path: /v1/sys/health, port: http}
            periodSeconds: 2
          securityContext:
            runAsNonRoot: true
            runAsUser: 100
            runAsGroup: 1000
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
---
apiVersion: v1
kind: Service
metadata:
  name: vault
  namespace: $K8S_NAMESPACE
  labels: {app: vault}
spec:
  selector: {app: vault}
  ports: [{name: http, port: 8200, targetPort: http}]
YAML
}

# The script runs in Vault's container, where the token is in the environment.
# Each setting of the role is one that the mesh needs; the names are as open as
# only a demo's may be.
pki() {
  cat <<SH
set -eu
vault secrets list -format=json | grep -q '"pki/"' || vault secrets enable pki
vault secrets tune -max-lease-ttl=87600h pki
vault write pki/config/urls \\
  issuing_certificates='$address/v1/pki/ca' \\
  crl_distribution_points='$address/v1/pki/crl'
vault write 'pki/roles/$VAULT_ROLE' \\
  allow_any_name=true allow_subdomains=true allow_bare_domains=true allow_localhost=true \\
  allowed_uri_sans='spiffe://*' enforce_hostnames=false require_cn=false \\
  key_type=any not_before_duration=5m max_ttl=24h
vault read -field=certificate pki/cert/ca 2>/dev/null | grep -q CERTIFICATE ||
  vault write -field=certificate pki/root/generate/internal common_name=osm.root ttl=87600h key_type=ec key_bits=256 not_before_duration=5m
SH
}

kubectl get namespace "$K8S_NAMESPACE" >/dev/null 2>&1 || kubectl create namespace "$K8S_NAMESPACE"
token_secret | kubectl apply --server-side --force-conflicts -f -
vault_server | kubectl apply --server-side --force-conflicts -f -
kubectl rollout status deployment/vault -n "$K8S_NAMESPACE" --timeout=5m
pki | kubectl exec -i -n "$K8S_NAMESPACE" deployment/vault -- sh
root=$(kubectl exec -n "$K8S_NAMESPACE" deployment/vault -- vault read -field=certificate pki/cert/ca)
roots "$root" | kubectl apply --server-side --force-conflicts -f -

cat <<TEXT

Vault signs at $address, role $VAULT_ROLE.
Its token is in the Secret vault-token, key token. Install the mesh with

  --set osm.certificateProvider.kind=vault
  --set osm.vault.host=$host
  --set osm.vault.protocol=http
  --set osm.vault.role=$VAULT_ROLE
  --set osm.vault.rootsSecret=$root_secret
  --set osm.vault.secret.name=vault-token
  --set osm.vault.secret.key=token
TEXT
