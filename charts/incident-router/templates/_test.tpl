{{/* The source that `helm test` posts to, by name; empty without one that it can post to. */}}
{{- define "incident-router.testSource" -}}
{{- $found := "" -}}
{{- range $name, $source := .Values.config.sources -}}
{{- if and (not $found) (or (not $.Values.test.source) (eq $name $.Values.test.source)) -}}
{{- if include "incident-router.canBeTested" (list $ $source) -}}
{{- $found = $name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.test.source (not $found) -}}
{{- fail (printf "test.source: %q is no source of kind alertmanager, or json without a mapping, with `auth: none`, or with `bearer` or `basic` from a variable in `secrets` or `extraEnv`" .Values.test.source) -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{/* Whether the chart knows a body for a source, and its credential. It is given a list: the root context, the source. */}}
{{- define "incident-router.canBeTested" -}}
{{- $source := index . 1 -}}
{{- $simple := or (eq $source.kind "alertmanager") (and (eq $source.kind "json") (not (omit $source "kind" "bearer" "basic" "auth"))) -}}
{{- if and $simple (not $source.signature) (not $source.token) -}}
{{- $key := include "incident-router.testKey" $source -}}
{{- if eq ($source.auth | default "" | toString) "none" -}}
yes
{{- else if $key -}}
{{- with include "incident-router.testCredential" (list (index . 0) $key) -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The variable with a source's credential. */}}
{{- define "incident-router.testKey" -}}
{{- with first (concat (.bearer | default list) (.basic | default list)) -}}{{- .env | default "" -}}{{- end -}}
{{- end -}}

{{/*
The value of a variable of the pods that receive webhooks, as an entry of `env` without its name; empty if it may be in
`extraEnvFrom`, which the chart can't read. It is given a list: the root context, the variable.
*/}}
{{- define "incident-router.testCredential" -}}
{{- $root := index . 0 -}}
{{- $key := index . 1 -}}
{{- $web := merge (dict) $root.Values.secrets.web (dict "values" dict) -}}
{{- $shared := merge (dict) $root.Values.secrets.shared (dict "values" dict) -}}
{{- $own := (get $root.Values (include "incident-router.webhookComponent" $root)).extraEnv | default list -}}
{{- $given := dict -}}
{{- range concat ($root.Values.extraEnv | default list) $own -}}
{{- if eq .name $key -}}
{{- $given = . -}}
{{- end -}}
{{- end -}}
{{- $secret := "" -}}
{{- if or (hasKey $web.values $key) (and $web.existing (not (hasKey $shared.values $key))) -}}
{{- $secret = include "incident-router.secret" (list $root "web") -}}
{{- else if or $shared.values $shared.existing -}}
{{- $secret = include "incident-router.secret" (list $root "shared") -}}
{{- end -}}
{{- if $given -}}
{{- omit $given "name" | toYaml -}}
{{- else if $secret -}}
valueFrom:
  secretKeyRef:
    name: {{ $secret }}
    key: {{ $key }}
{{- else if not $root.Values.extraEnvFrom -}}
{{- fail (printf "secrets.web: set `existing` or `values` to a Secret with %s, which `config.sources` names, or put %s into `extraEnv`" $key $key) -}}
{{- end -}}
{{- end -}}
