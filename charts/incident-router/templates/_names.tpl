{{/* The name of everything in a release: the release's own, with the chart's where that is not in it already. */}}
{{- define "incident-router.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.secret" -}}
{{- .Values.secrets.existing | default (include "incident-router.fullname" .) -}}
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

{{/* The configuration file: what the values say, with the addresses and folders of the container over it. */}}
{{- define "incident-router.config" -}}
{{- $ours := dict
      "web" (dict "host" "0.0.0.0" "port" 8080)
      "worker" (dict "health_host" "0.0.0.0" "health_port" 8081)
      "rules" "/etc/incident-router/rules" -}}
{{- mergeOverwrite (deepCopy .Values.config) $ours | toYaml -}}
{{- end -}}

{{/* What takes webhooks: the component that the Service leads to. */}}
{{- define "incident-router.door" -}}
{{- eq .Values.mode "all" | ternary "all" "web" -}}
{{- end -}}
