{{/*
One Deployment. It is given a list: the root context, the component (web, worker, or all), the program's command, and the
component's values.
*/}}
{{- define "incident-router.deployment" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $command := index . 2 -}}
{{- $values := index . 3 -}}
{{- $fullname := include "incident-router.fullname" $root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $fullname }}-{{ $component }}
  labels:
    {{- include "incident-router.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
spec:
  {{- if not (or (dig "autoscaling" "enabled" false $values) (dig "keda" "enabled" false $values)) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ $root.Values.revisionHistoryLimit }}
  {{- with $root.Values.minReadySeconds }}
  minReadySeconds: {{ . }}
  {{- end }}
  {{- with $values.strategy }}
  strategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "incident-router.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
  template:
    metadata:
      labels:
        {{- merge (dict "app.kubernetes.io/component" $component) ($root.Values.podLabels | default dict)
              (include "incident-router.labels" $root | fromYaml) | toYaml | nindent 8 }}
      annotations:
        # Also with containers that are injected before it.
        kubectl.kubernetes.io/default-container: {{ $component }}
        # Pods read their configuration and secrets at the start, so a change has to replace them. They reload rules.
        checksum/config: {{ include "incident-router.config" $root | sha256sum }}
        {{- range $part := include "incident-router.secretParts" $component | fromJsonArray }}
        {{- with (get $root.Values.secrets $part).values }}
        checksum/secrets-{{ $part }}: {{ . | toJson | sha256sum }}
        {{- end }}
        {{- end }}
        {{- with include "incident-router.valkeyChecksum" $root }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with merge (deepCopy ($values.podAnnotations | default dict)) ($root.Values.podAnnotations | default dict) }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "incident-router.everyPod" $root | nindent 6 }}
      serviceAccountName: {{ include "incident-router.serviceAccount" $root }}
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      {{- with include "incident-router.podSecurity" (list $root $root.Values.podSecurityContext) }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      {{- with $root.Values.initContainers }}
      initContainers:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ $component }}
          image: {{ include "incident-router.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $command }}]
          env:
            {{- include "incident-router.env" (list $root $values.extraEnv) | nindent 12 }}
          {{- with include "incident-router.envFrom" (list $root $component) }}
          {{- . | trim | nindent 10 }}
          {{- end }}
          ports:
            - name: health
              containerPort: 8081
            {{- if eq $component (include "incident-router.webhookComponent" $root) }}
            - name: http
              containerPort: 8080
            - name: console
              containerPort: 8082
            {{- end }}
          {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
          {{- with get $values $probe }}
          {{ $probe }}:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with $values.lifecycle }}
          lifecycle:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with include "incident-router.containerSecurity" $root }}
          {{- . | trim | nindent 10 }}
          {{- end }}
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            {{- include "incident-router.volumeMounts" . | nindent 12 }}
            {{- with $root.Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $root.Values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ $fullname }}
        - name: rules
          configMap:
            name: {{ include "incident-router.rulesConfigMap" $root }}
        {{- with $root.Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $root.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- range . }}
        {{- $selector := dict "labelSelector" (dict "matchLabels" (merge
              (dict "app.kubernetes.io/component" $component)
              (include "incident-router.selector" $root | fromYaml))) }}
        - {{ merge (deepCopy .) $selector | toYaml | nindent 10 | trim }}
        {{- end }}
      {{- end }}
{{- end -}}

{{/* The environment of a component from Secrets. It is given a list: the root context, the component. */}}
{{- define "incident-router.envFrom" -}}
{{- $root := index . 0 -}}
{{- $names := list -}}
{{- range $part := include "incident-router.secretParts" (index . 1) | fromJsonArray -}}
{{- with include "incident-router.secret" (list $root $part) -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- include "incident-router.envSources" (list $root ($names | uniq)) -}}
{{- end -}}

{{/* The environment from these Secrets and from `extraEnvFrom`. It is given a list: the root context, names of Secrets. */}}
{{- define "incident-router.envSources" -}}
{{- $sources := list -}}
{{- range index . 1 -}}
{{- $sources = append $sources (dict "secretRef" (dict "name" .)) -}}
{{- end -}}
{{- with concat $sources ((index . 0).Values.extraEnvFrom | default list) -}}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* An annotation that changes with `valkey.auth.password`: every pod reads it at its start. */}}
{{- define "incident-router.valkeyChecksum" -}}
{{- if and .Values.valkey.enabled .Values.valkey.auth.password -}}
checksum/valkey-password: {{ .Values.valkey.auth.password | sha256sum }}
{{- end -}}
{{- end -}}
