#!/usr/bin/env bash
# Installs cert-manager into the cluster that kubectl points to, and prepares it
# for the mesh: a CA whose key cert-manager alone has, the Issuer osm-ca that
# signs with it in the mesh namespace, and the secret osm-ca-bundle with the
# CA's certificate. It can be run again.
#
#   K8S_NAMESPACE          the mesh namespace; osm-system by default
#   CERT_MANAGER_VERSION   v1.21.2 by default
#   CERT_MANAGER_MANIFEST  file or address of cert-manager's manifest, that of
#                          the version's release by default; none leaves the
#                          cert-manager that is there alone
set -euo pipefail

namespace=${K8S_NAMESPACE:-osm-system}
version=${CERT_MANAGER_VERSION:-v1.21.2}
manifest=${CERT_MANAGER_MANIFEST:-https://github.com/cert-manager/cert-manager/releases/download/$version/cert-manager.yaml}

if [ "$manifest" != none ]; then
  kubectl apply -f "$manifest"
  for deployment in cert-manager cert-manager-cainjector cert-manager-webhook; do
    kubectl -n cert-manager rollout status "deployment/$deployment" --timeout=300s
  done
fi

kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -

prepare() {
  kubectl apply -n "$namespace" -f - <<'EOF'
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: osm-selfsigned
spec:
  selfSigned: {}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: osm-ca
spec:
  isCA: true
  commonName: osm-ca.openservicemesh.io
  duration: 87600h
  secretName: osm-ca
  privateKey:
    algorithm: ECDSA
    size: 256
    rotationPolicy: Never
  issuerRef:
    name: osm-selfsigned
    kind: Issuer
    group: cert-manager.io
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: osm-ca
spec:
  ca:
    secretName: osm-ca
EOF
}

# The webhook may take a moment longer than its Deployment.
attempt=1
until prepare; do
  [ "$attempt" -lt 30 ] || { echo "cert-manager does not take the issuers" >&2; exit 1; }
  attempt=$((attempt + 1))
  sleep 2
done

kubectl -n "$namespace" wait --for=condition=Ready certificate/osm-ca --timeout=120s
kubectl -n "$namespace" wait --for=condition=Ready issuer/osm-ca --timeout=120s

# The certificate alone: the key stays where cert-manager keeps it.
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
kubectl -n "$namespace" get secret osm-ca -o 'go-template={{index .data "tls.crt" | base64decode}}' >"$directory/ca.crt"
kubectl -n "$namespace" create secret generic osm-ca-bundle --from-file=ca.crt="$directory/ca.crt" --dry-run=client -o yaml |
  kubectl apply -f -

echo "cert-manager is ready; install the mesh with --set osm.certificateProvider.kind=cert-manager"
