{{/*
A pod's security context. It is given a list: the root context, and the value. OpenShift assigns users and groups, and
refuses others. The container runtime refuses a group without a user.
*/}}
{{- define "incident-router.podSecurity" -}}
{{- $root := index . 0 -}}
{{- $context := index . 1 | default dict -}}
{{- if include "incident-router.assignsUsers" $root -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- else if not (hasKey $context "runAsUser") -}}
{{- $context = omit $context "runAsGroup" -}}
{{- end -}}
{{- with $context -}}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Whether the cluster assigns users and groups to pods, as OpenShift does. */}}
{{- define "incident-router.assignsUsers" -}}
{{- $adapt := .Values.global.compatibility.openshift.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
yes
{{- end -}}
{{- end -}}

{{- define "incident-router.containerSecurity" -}}
{{- with .Values.containerSecurityContext -}}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The part of a pod's specification that all pods of the release share. */}}
{{- define "incident-router.everyPod" -}}
automountServiceAccountToken: false
{{- with include "incident-router.pullSecrets" . | fromJsonArray }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The IP families of a Service. */}}
{{- define "incident-router.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
