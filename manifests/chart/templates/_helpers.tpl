{{- define "osm.labels" -}}
app.kubernetes.io/name: openservicemesh.io
app.kubernetes.io/instance: {{ .Values.osm.meshName | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{/*
A mesh keeps its name and its trust domain: pods that have the one would refuse those that
have the other. helm template sees no cluster. What is stored in an older version can be read
only while osm-bootstrap converts it.
*/}}
{{- define "osm.keepIdentity" -}}
{{- $osm := .Values.osm -}}
{{- $bootstrap := lookup "apps/v1" "Deployment" .Release.Namespace "osm-bootstrap" | default dict -}}
{{- range (dig "spec" "template" "spec" "containers" list $bootstrap) -}}
{{- range .args -}}
{{- if and (hasPrefix "--mesh-name=" .) (ne . (printf "--mesh-name=%s" $osm.meshName)) -}}
{{- fail (printf "osm.meshName is %s, and the mesh in namespace %s is %s: set osm.meshName=%s, or uninstall that mesh first" $osm.meshName $.Release.Namespace (trimPrefix "--mesh-name=" .) (trimPrefix "--mesh-name=" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $definition := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "meshrootcertificates.config.openservicemesh.io" | default dict -}}
{{- $stored := dig "status" "storedVersions" list $definition -}}
{{- if and (has "v1" $stored) (or (eq (len $stored) 1) (dig "status" "availableReplicas" 0 $bootstrap)) -}}
{{- $domains := list -}}
{{- range (lookup "config.openservicemesh.io/v1" "MeshRootCertificate" .Release.Namespace "" | default dict).items -}}
{{- if eq .spec.role "Active" }}{{ $domains = append $domains .spec.trustDomain }}{{ end -}}
{{- end -}}
{{- if and $domains (not (has $osm.trustDomain $domains)) -}}
{{- fail (printf "osm.trustDomain is %s, and the mesh's is %s, as in its MeshRootCertificate: set osm.trustDomain=%s; for another trust domain, uninstall the mesh with osm uninstall mesh --delete-ca first" $osm.trustDomain (first $domains) (first $domains)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The image of a component: a dict of root and component. A digest identifies the image, and takes precedence over a tag. */}}
{{- define "osm.image" -}}
{{- $image := .root.Values.osm.image -}}
{{- $digests := $image.digest | default dict -}}
{{- $digest := get $digests (camelcase (replace "-" "_" .component) | untitle) | default "" -}}
{{- if and (eq .component "osm-init") (not $digest) }}{{ $digest = $digests.osmSidecarInit | default "" }}{{ end -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ .component }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end -}}

{{- define "osm.keyAlgorithm" -}}
{{- with .Values.osm.certificateProvider.certKeyBitSize }}rsa-{{ . }}{{ else }}{{ .Values.osm.certificateProvider.keyAlgorithm }}{{ end }}
{{- end -}}

{{/* osm.serviceCertValidityDuration is how the published guide writes it. */}}
{{- define "osm.serviceCertValidityDuration" -}}
{{- $value := .Values.osm.serviceCertValidityDuration | default .Values.osm.certificateProvider.serviceCertValidityDuration -}}
{{- include "osm.duration" (dict "name" "osm.certificateProvider.serviceCertValidityDuration" "value" $value "least" 60000000000 "most" 315360000000000000 "range" "from 1m to 87600h") -}}
{{- end -}}

{{/* A list as a MeshConfig has it, where no entry is twice. */}}
{{- define "osm.list" -}}
{{- default list . | uniq | toJson -}}
{{- end -}}

{{/* The Secret and key of Vault's token, or the role for Vault's Kubernetes auth: exactly one of the three. */}}
{{- define "osm.vaultAuth" -}}
{{- $vault := .Values.osm.vault -}}
{{- $secret := or $vault.secret.name $vault.secret.key -}}
{{- if and $secret (not (and $vault.secret.name $vault.secret.key)) -}}
{{- fail "osm.vault.secret: set both name and key" -}}
{{- end -}}
{{- $ways := 0 -}}
{{- range list $vault.token $secret $vault.kubernetesAuth.role }}{{ if . }}{{ $ways = add1 $ways }}{{ end }}{{ end -}}
{{- if ne (int $ways) 1 -}}
{{- fail (printf "osm.vault: %d of token, secret.name with secret.key, and kubernetesAuth.role are set: set exactly one" (int $ways)) -}}
{{- end -}}
{{- if $vault.kubernetesAuth.role -}}
kubernetes:
  role: {{ $vault.kubernetesAuth.role | quote }}
  mountPath: {{ $vault.kubernetesAuth.mountPath | quote }}
{{- else -}}
tokenSecretRef:
  name: {{ $vault.secret.name | default "osm-vault-token" | quote }}
  key: {{ $vault.secret.key | default "token" | quote }}
{{- end -}}
{{- end -}}

{{/* A duration, refused unless it is long enough and not too long: a dict of name, value, and least and most in nanoseconds, and the range in words. */}}
{{- define "osm.duration" -}}
{{- $epoch := toDate "2006-01-02" "1970-01-01" -}}
{{- $length := sub (mustDateModify .value $epoch).UnixNano $epoch.UnixNano -}}
{{- if or (lt $length (int64 .least)) (gt $length (int64 .most)) -}}
{{- fail (printf "%s is %s: set a duration %s, such as 24h, 30m or 1h30m" .name .value .range) -}}
{{- end -}}
{{- .value -}}
{{- end -}}

{{/* The URL of Vault. The host may be a URL, as VAULT_ADDR is, or have a port or a path, as long as it agrees with protocol and port. */}}
{{- define "osm.vaultAddress" -}}
{{- $vault := .Values.osm.vault -}}
{{- $none := "osm.vault.host is no host: set it to one such as vault.vault.svc, or to a URL such as https://vault.vault.svc:8200, with nothing but the path beside that a proxy has Vault at" -}}
{{- if not (regexMatch `^([A-Za-z]+://)?[^\s@?#%/]+(/([^\s?#%/][^\s?#%]*)?)?$` $vault.host) }}{{ fail $none }}{{ end -}}
{{- $scheme := regexFind "^[A-Za-z]+://" $vault.host -}}
{{- $protocol := lower (trimSuffix "://" $scheme) | default $vault.protocol -}}
{{- $rest := trimPrefix $scheme $vault.host -}}
{{- $host := regexFind "^[^/]*" $rest -}}
{{- $path := trimPrefix $host $rest | trimSuffix "/" -}}
{{- $port := "" -}}
{{- $bare := and (not (hasPrefix "[" $host)) (gt (len (regexFindAll ":" $host -1)) 1) -}}
{{- if $bare -}}
{{- if and (hasSuffix (printf ":%d" (int $vault.port)) $host) (ne (len (regexFindAll ":" $host -1)) 7) -}}
{{- fail (printf "osm.vault.host is %s, which may end with the port or not: set osm.vault.host=[%s] or osm.vault.host=[%s]" $host (trimSuffix (printf ":%d" (int $vault.port)) $host) $host) -}}
{{- end -}}
{{- $host = printf "[%s]" $host -}}
{{- else -}}
{{- $port = trimPrefix ":" (regexFind ":[0-9]*$" $host) -}}
{{- $host = regexReplaceAll ":[0-9]*$" $host "" -}}
{{- end -}}
{{- $port = $port | default (ternary (get (dict "http" "80" "https" "443") $protocol) (printf "%d" (int $vault.port)) (ne $scheme "")) -}}
{{- $own := regexFind "/(v1|ui)(/.*)?$" $path -}}
{{- if or (ne $protocol $vault.protocol) (ne $port (printf "%d" (int $vault.port))) $own -}}
{{- fail (printf "osm.vault.host has %s, and osm.vault.protocol and osm.vault.port are %s and %d: set osm.vault.protocol=%s, osm.vault.host=%s and osm.vault.port=%s" $vault.host $vault.protocol (int $vault.port) $protocol (printf "%s%s" $host (trimSuffix $own $path)) $port) -}}
{{- end -}}
{{- $address := printf "%s://%s:%d%s" $protocol $host (int $vault.port) $path -}}
{{- if not (regexMatch `^[Hh][Tt][Tt][Pp][Ss]?://([0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?[.]?|\[[0-9A-Fa-f:.]+\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/([.]?[0-9A-Za-z!$&'()*+,:;=@_~-][0-9A-Za-z!$&'()*+,.:;=@_~-]*|[.]{2}[0-9A-Za-z!$&'()*+,.:;=@_~-]+))*/?$` $address) -}}
{{- fail $none -}}
{{- end -}}
{{- $address -}}
{{- end -}}

{{/* The spec.provider of a MeshRootCertificate. */}}
{{- define "osm.provider" -}}
{{- $osm := .Values.osm -}}
{{- if eq $osm.certificateProvider.kind "vault" -}}
{{- $host := required "osm.vault.host is required for osm.certificateProvider.kind=vault: set the host that Vault is at, such as vault.vault.svc" $osm.vault.host -}}
vault:
  address: {{ include "osm.vaultAddress" . | quote }}
  mount: {{ $osm.vault.mount | quote }}
  role: {{ $osm.vault.role | quote }}
  {{- with $osm.vault.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
  {{- with $osm.vault.rootsSecret }}
  rootsSecretRef:
    name: {{ . | quote }}
  {{- end }}
  auth:
    {{- include "osm.vaultAuth" . | nindent 4 }}
{{- else if eq $osm.certificateProvider.kind "cert-manager" -}}
certManager:
  issuerRef:
    name: {{ $osm.certmanager.issuerName | quote }}
    kind: {{ $osm.certmanager.issuerKind | quote }}
    group: {{ $osm.certmanager.issuerGroup | quote }}
{{- else -}}
tresor:
  secretRef:
    name: {{ $osm.caBundleSecretName | quote }}
{{- end -}}
{{- end -}}

{{/*
The arguments for the clients that a component's webhook answers: a dict of root
and component. Conversions, those of osm-bootstrap, are called without a certificate.
*/}}
{{- define "osm.webhookClients" -}}
{{- $webhooks := .root.Values.osm.webhooks -}}
{{- if and $webhooks.verifyClient (ne .component "osm-bootstrap") -}}
{{- if not (or $webhooks.clientCA $webhooks.clientNames) -}}
{{- fail "osm.webhooks.verifyClient needs clientCA or clientNames: the cluster's CA signs for kubelets and users, too" -}}
{{- end -}}
- --verify-webhook-client
- {{ printf "--webhook-client-ca-bundle=%s" $webhooks.clientCA | quote }}
- {{ printf "--webhook-client-names=%s" (join "," $webhooks.clientNames) | quote }}
{{- else if and (not $webhooks.verifyClient) (or $webhooks.clientCA $webhooks.clientNames) -}}
{{- fail "osm.webhooks.clientCA and clientNames have no effect without verifyClient: set osm.webhooks.verifyClient=true" -}}
{{- end -}}
{{- end -}}

{{/*
The Deployment of a component, and what keeps replicas of it running: a dict of
root, component, values (replicaCount, autoScale, enablePodDisruptionBudget and
resource), args, ports (a dict of names and numbers), and maybe volumes (a list
of dicts of name, mountPath and source).
*/}}
{{- define "osm.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
    app: {{ .component }}
  annotations:
    openservicemesh.io/replicas: {{ include "osm.wantedReplicas" . | quote }}
spec:
  paused: false
  {{- with include "osm.replicas" . }}
  replicas: {{ . }}
  {{- end }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      app: {{ .component }}
  template:
    metadata:
      labels:
        {{- with omit .values.podLabels "app" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "osm.labels" .root | nindent 8 }}
        app: {{ .component }}
    spec:
      {{- include "osm.scheduling" . | nindent 6 }}
      serviceAccountName: {{ .component }}
      # A terminating pod serves for five seconds more, and lets what is under way end in ten.
      terminationGracePeriodSeconds: 30
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app: {{ $.component }}
          matchLabelKeys: [pod-template-hash]
        {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {{ .component }}
          image: {{ include "osm.image" . }}
          imagePullPolicy: {{ .root.Values.osm.image.pullPolicy }}
          args:
            - --mesh-name={{ .root.Values.osm.meshName }}
            - --namespace=$(POD_NAMESPACE)
            - --log-level={{ .root.Values.osm.controllerLogLevel }}
            {{- with include "osm.webhookClients" . }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- range .args }}
            - {{ . | quote }}
            {{- end }}
          env:
            - name: POD_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
          ports:
            {{- range $name, $port := .ports }}
            - name: {{ $name }}
              containerPort: {{ $port }}
            {{- end }}
            - name: metrics
              containerPort: 9091
          readinessProbe:
            httpGet:
              path: /readyz
              port: metrics
            periodSeconds: 2
          livenessProbe:
            httpGet:
              path: /healthz
              port: metrics
            periodSeconds: 10
            failureThreshold: 6
          resources:
            {{- toYaml .values.resource | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          {{- with .volumes }}
          volumeMounts:
            {{- range . }}
            - name: {{ .name }}
              mountPath: {{ .mountPath }}
              readOnly: true
            {{- end }}
          {{- end }}
      {{- with .volumes }}
      volumes:
        {{- range . }}
        - name: {{ .name }}
          {{- toYaml .source | nindent 10 }}
        {{- end }}
      {{- end }}
{{- include "osm.disruptionBudget" . }}
{{- include "osm.autoscaler" . }}
{{- include "osm.clientCAReader" . }}
{{- end -}}

{{/* The replicas of a component in the values: a dict of values. */}}
{{- define "osm.wantedReplicas" -}}
{{- if .values.autoScale.enable }}auto{{ else }}{{ .values.replicaCount }}{{ end -}}
{{- end -}}

{{/*
How many replicas a component has: a dict of root, component and values. While the
values are the same, those stay that there are: kubectl scale or an autoscaler has
set them. helm template sees no cluster.
*/}}
{{- define "osm.replicas" -}}
{{- $wanted := include "osm.wantedReplicas" . -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace .component | default dict -}}
{{- $recorded := dig "metadata" "annotations" "openservicemesh.io/replicas" "" $live -}}
{{- if and $live (or (eq $wanted "auto") (eq $recorded $wanted)) -}}
{{- $live.spec.replicas -}}
{{- else if ne $wanted "auto" -}}
{{- $wanted -}}
{{- end -}}
{{- end -}}

{{/* Where a component's pods run, and what of: a dict of root and values. */}}
{{- define "osm.scheduling" -}}
{{- $osm := .root.Values.osm -}}
{{- with $osm.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $osm.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with omit .values.nodeSelector "kubernetes.io/os" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with concat $osm.controlPlaneTolerations .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A budget for one replica would keep its node from being drained, or protect nothing. */}}
{{- define "osm.disruptionBudget" -}}
{{- $least := ternary .values.autoScale.minReplicas .values.replicaCount .values.autoScale.enable -}}
{{- if and .values.enablePodDisruptionBudget (gt (int $least) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
    app: {{ .component }}
spec:
  maxUnavailable: 1
  # A replica that is not ready serves no client, and must not keep its node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      app: {{ .component }}
{{- end }}
{{- end -}}

{{/* The right to read the cluster's client CA: a dict of root and component. */}}
{{- define "osm.clientCAReader" -}}
{{- $webhooks := .root.Values.osm.webhooks -}}
{{- if and $webhooks.verifyClient (not $webhooks.clientCA) (ne .component "osm-bootstrap") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .component }}-{{ .root.Values.osm.meshName }}-client-ca
  namespace: kube-system
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: extension-apiserver-authentication-reader
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ .root.Release.Namespace | quote }}
{{- end }}
{{- end -}}

{{- define "osm.autoscaler" -}}
{{- $scale := .values.autoScale -}}
{{- if $scale.enable }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
    app: {{ .component }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .component }}
  minReplicas: {{ $scale.minReplicas }}
  maxReplicas: {{ $scale.maxReplicas }}
  metrics:
    {{- range $resource := list "cpu" "memory" }}
    {{- with (index $scale $resource).targetAverageUtilization }}
    - type: Resource
      resource:
        name: {{ $resource }}
        target:
          type: Utilization
          averageUtilization: {{ . }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* The Service of a component: a dict of root, name, component and ports. */}}
{{- define "osm.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
    app: {{ .component }}
spec:
  selector:
    app: {{ .component }}
  ports:
    {{- range $name, $port := .ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
    {{- end }}
{{- end -}}

{{/* The service account of a component and what it is bound to: a dict of root and component. */}}
{{- define "osm.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .component }}
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ .root.Release.Namespace | quote }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .component }}-{{ .root.Values.osm.meshName }}
  labels:
    {{- include "osm.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .component }}-{{ .root.Values.osm.meshName }}
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ .root.Release.Namespace | quote }}
{{- end -}}
