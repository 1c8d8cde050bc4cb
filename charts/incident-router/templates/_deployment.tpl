{{/*
One Deployment. It is given a list: the root context, the component (web, worker or all), the program's command, the
port that answers probes, and the component's values.
*/}}
{{- define "incident-router.deployment" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $command := index . 2 -}}
{{- $port := index . 3 -}}
{{- $values := index . 4 -}}
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
  selector:
    matchLabels:
      {{- include "incident-router.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
  template:
    metadata:
      labels:
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "incident-router.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
      annotations:
        # Configuration and secrets are read at the start, so a change of them is a change of the pods. Rules are not:
        # they are followed.
        checksum/config: {{ include "incident-router.config" $root | sha256sum }}
        {{- range $part := include "incident-router.secretParts" $component | fromJsonArray }}
        {{- with (get $root.Values.secrets $part).values }}
        checksum/secrets-{{ $part }}: {{ . | toJson | sha256sum }}
        {{- end }}
        {{- end }}
        {{- with $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "incident-router.everyPod" $root | nindent 6 }}
      serviceAccountName: {{ include "incident-router.serviceAccount" $root }}
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "incident-router.podSecurity" 65532 | nindent 8 }}
      containers:
        - name: {{ $component }}
          image: {{ include "incident-router.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $command }}]
          env:
            {{- include "incident-router.env" $root | nindent 12 }}
          {{- include "incident-router.envFrom" (list $root $component) | nindent 10 }}
          ports:
            - name: http
              containerPort: {{ $port }}
            {{- if eq $component (include "incident-router.door" $root) }}
            - name: console
              containerPort: 8082
            {{- end }}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 5
          {{- if ne $component "worker" }}
          lifecycle:
            preStop:
              # Senders are led here until every node has heard that this pod ends. The image needs no shell for it.
              exec: {command: [python, -c, "import time; time.sleep(5)"]}
          {{- end }}
          securityContext:
            {{- include "incident-router.containerSecurity" . | nindent 12 }}
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            {{- include "incident-router.volumeMounts" . | nindent 12 }}
            {{- with $root.Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
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
        {{- $meant := dict "labelSelector" (dict "matchLabels" (merge
              (dict "app.kubernetes.io/component" $component)
              (include "incident-router.selector" $root | fromYaml))) }}
        - {{ merge (deepCopy .) $meant | toYaml | nindent 10 | trim }}
        {{- end }}
      {{- end }}
{{- end -}}

{{/* The Secrets of a component as its environment. It is given a list: the root context, the component. */}}
{{- define "incident-router.envFrom" -}}
{{- $root := index . 0 -}}
{{- $names := list -}}
{{- range $part := include "incident-router.secretParts" (index . 1) | fromJsonArray -}}
{{- with include "incident-router.secret" (list $root $part) -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- with $names | uniq -}}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}
