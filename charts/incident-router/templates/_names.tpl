{{/*
The name of everything in a release: the release's own, with the chart's where that is not in it already. Cut, because
the name of a StatefulSet with what Kubernetes adds to it is a label, of at most 63 characters.
*/}}
{{- define "incident-router.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
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

{{- define "incident-router.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* What selects this release's pods; it can never be changed in an upgrade. */}}
{{- define "incident-router.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "incident-router.labels" -}}
{{ include "incident-router.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What takes webhooks: the component that the Service leads to. */}}
{{- define "incident-router.door" -}}
{{- eq .Values.mode "all" | ternary "all" "web" -}}
{{- end -}}

{{/* The components that run for ever, as a list in JSON. */}}
{{- define "incident-router.components" -}}
{{- eq .Values.mode "all" | ternary (list "all") (list "web" "worker") | toJson -}}
{{- end -}}
