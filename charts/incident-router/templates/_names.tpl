{{/* The chart's name, as a label and in names. */}}
{{- define "incident-router.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{/*
The prefix of all names: `fullnameOverride`, or the release's name, followed by the chart's if it isn't part of it.
Cut, because the name of a StatefulSet with the suffix that Kubernetes adds is a label, of at most 63 characters.
*/}}
{{- define "incident-router.fullname" -}}
{{- $name := include "incident-router.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.rulesConfigMap" -}}
{{- .Values.existingRulesConfigMap | default (printf "%s-rules" (include "incident-router.fullname" .)) -}}
{{- end -}}

{{- define "incident-router.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "incident-router.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The labels that select this release's pods. An upgrade can't change them. */}}
{{- define "incident-router.selector" -}}
app.kubernetes.io/name: {{ include "incident-router.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "incident-router.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
{{ include "incident-router.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The component that receives webhooks: the Service leads to it. */}}
{{- define "incident-router.webhookComponent" -}}
{{- eq .Values.mode "all" | ternary "all" "web" -}}
{{- end -}}

{{/* The components with Deployments, as a list in JSON. */}}
{{- define "incident-router.components" -}}
{{- eq .Values.mode "all" | ternary (list "all") (list "web" "worker") | toJson -}}
{{- end -}}
