{{/* The source that `helm test` posts to, by name; empty where there is none that it can post to. */}}
{{- define "incident-router.testSource" -}}
{{- $found := "" -}}
{{- range $name, $source := .Values.config.sources -}}
{{- if and (not $found) (or (not $.Values.test.source) (eq $name $.Values.test.source)) -}}
{{- if include "incident-router.canBeTested" $source -}}
{{- $found = $name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.test.source (not $found) -}}
{{- fail (printf "test.source: %q is no source of kind alertmanager, or json without a mapping, with `bearer`, `basic` or `auth: none`" .Values.test.source) -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{/* Whether the chart knows a body for a source, and its credential. */}}
{{- define "incident-router.canBeTested" -}}
{{- $simple := or (eq .kind "alertmanager") (and (eq .kind "json") (not (omit . "kind" "bearer" "basic" "auth"))) -}}
{{- $known := or (eq (.auth | default "" | toString) "none") (include "incident-router.testKey" .) -}}
{{- if and $simple $known (not .signature) (not .token) -}}yes{{- end -}}
{{- end -}}

{{/* The key of a Secret in which a source's credential is. */}}
{{- define "incident-router.testKey" -}}
{{- with first (concat (.bearer | default list) (.basic | default list)) -}}{{- .env | default "" -}}{{- end -}}
{{- end -}}

{{/* The Secret that holds a key which what takes webhooks may see. It is given a list: the root context, the key. */}}
{{- define "incident-router.testSecret" -}}
{{- $root := index . 0 -}}
{{- $web := $root.Values.secrets.web -}}
{{- $shared := $root.Values.secrets.shared -}}
{{- if or (hasKey $web.values (index . 1)) (and $web.existing (not (hasKey $shared.values (index . 1)))) -}}
{{- include "incident-router.secret" (list $root "web") -}}
{{- else if or $shared.values $shared.existing -}}
{{- include "incident-router.secret" (list $root "shared") -}}
{{- else -}}
{{- fail (printf "secrets.web: it has to hold %s, which `config.sources` names" (index . 1)) -}}
{{- end -}}
{{- end -}}
