{{/*
The TCP ports that the router's pods may reach at any address, as a list in JSON: 443 for the vendors, and what the values
name. A port that `networkPolicy.extraEgress` names is omitted: a rule of yours restricts it.
*/}}
{{- define "incident-router.egressPorts" -}}
{{- $ports := list 443 -}}
{{- if not .Values.valkey.enabled -}}
{{- $address := include "incident-router.redisAddress" . -}}
{{- $ports = append $ports ($address | empty | ternary .Values.networkPolicy.redisPort (splitList ":" $address | last | atoi) | int) -}}
{{- with dig "redis" "sentinel" "nodes" list .Values.config -}}
{{- $ports = append $ports (int $.Values.networkPolicy.redisPort) -}}
{{- range . -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "26379" | atoi) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range include "incident-router.urls" . | fromJsonArray -}}
{{- $ports = append $ports (include "incident-router.port" . | atoi) -}}
{{- end -}}
{{- $restricted := list -}}
{{- range .Values.networkPolicy.extraEgress -}}
{{- range .ports -}}
{{- $restricted = append $restricted (int .port) -}}
{{- end -}}
{{- end -}}
{{- $open := list -}}
{{- range $ports | uniq -}}
{{- if not (has . $restricted) -}}
{{- $open = append $open . -}}
{{- end -}}
{{- end -}}
{{- $open | toJson -}}
{{- end -}}

{{/* The URLs that the router calls beside Redis, as a list in JSON: those in `config`, and proxies in the environment. */}}
{{- define "incident-router.urls" -}}
{{- $config := set (deepCopy .Values.config) "management" (omit (.Values.config.management | default dict) "public_url") -}}
{{- $found := list -}}
{{- range regexFindAll "\"https?://[^\"/?#]+" ($config | toJson) -1 -}}
{{- $found = append $found (trimPrefix "\"" .) -}}
{{- end -}}
{{- $variables := concat (.Values.extraEnv | default list) -}}
{{- range include "incident-router.components" . | fromJsonArray -}}
{{- $variables = concat $variables ((get $.Values .).extraEnv | default list) -}}
{{- end -}}
{{- range $part := .Values.secrets -}}
{{- range $name, $value := $part.values -}}
{{- $variables = append $variables (dict "name" $name "value" $value) -}}
{{- end -}}
{{- end -}}
{{- range $variables -}}
{{- if and (has (upper .name) (list "HTTP_PROXY" "HTTPS_PROXY" "ALL_PROXY")) .value -}}
{{- $found = append $found (regexReplaceAll "(^[a-z0-9]+://)?([^/]*).*" .value "${1}${2}") -}}
{{- end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* The port of a URL without its path, by its scheme if it has none. */}}
{{- define "incident-router.port" -}}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- if $port -}}
{{- $port -}}
{{- else if hasPrefix "https:" . -}}
443
{{- else if hasPrefix "socks" . -}}
1080
{{- else -}}
80
{{- end -}}
{{- end -}}
