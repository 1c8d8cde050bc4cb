{{/* The configuration file: `config`, the chart's defaults below it, and the container's ports and folder above it. */}}
{{- define "incident-router.config" -}}
{{- $defaults := dict
      "web" (dict "host" "::" "health_host" "::" "max_bytes_in_flight" (include "incident-router.bytesInFlight" . | int64))
      "management" (dict "host" "::")
      "worker" (dict "health_host" "::") -}}
{{- with include "incident-router.consoleUrl" . -}}
{{- $defaults = merge $defaults (dict "management" (dict "public_url" .)) -}}
{{- end -}}
{{- $ours := dict
      "web" (dict "port" 8080 "health_port" 8081)
      "management" (dict "port" 8082)
      "worker" (dict "health_port" 8081)
      "rules" "/etc/incident-router/rules" -}}
{{- $text := mergeOverwrite $defaults (deepCopy .Values.config) $ours | toYaml -}}
{{- /* Helm reads numbers as floats, and writes large ones with an exponent. */ -}}
{{- range regexFindAll "(?m)[:-] [0-9.]+e[+][0-9]+$" $text -1 | uniq -}}
{{- $number := regexFind "[0-9.]+e[+][0-9]+$" . -}}
{{- $text = replace . (replace $number (float64 $number | printf "%.0f") .) $text -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* The address of the console in browsers, empty without a route. */}}
{{- define "incident-router.consoleUrl" -}}
{{- if .Values.console.ingress.enabled -}}
{{- printf "%s://%s" (empty .Values.console.ingress.tls | ternary "http" "https") (first .Values.console.ingress.hosts) -}}
{{- else if .Values.console.httpRoute.enabled -}}
{{- printf "https://%s" (first .Values.console.httpRoute.hostnames) -}}
{{- end -}}
{{- end -}}

{{/* Rule files, as the data of a ConfigMap. */}}
{{- define "incident-router.rules" -}}
{{- range $name, $content := .Values.rules -}}
{{ $name }}: {{ $content | toJson }}
{{ else -}}
# The router refuses a folder without a rule file as a mistake.
00-none.yaml: "rules: []\n"
{{- end -}}
{{- end -}}

{{/* The Secret of one part of `secrets`, empty without one. It is given a list: the root context, the part. */}}
{{- define "incident-router.secret" -}}
{{- $part := get (index . 0).Values.secrets (index . 1) -}}
{{- if and $part.values $part.existing -}}
{{- fail (printf "secrets.%s: set either `existing`, the name of your Secret, or `values` for a Secret that the chart creates" (index . 1)) -}}
{{- end -}}
{{- if $part.existing -}}
{{- $part.existing -}}
{{- else if $part.values -}}
{{- printf "%s-%s" (include "incident-router.fullname" (index . 0)) (index . 1) -}}
{{- end -}}
{{- end -}}

{{/* The parts of `secrets` that a component needs, in JSON. */}}
{{- define "incident-router.secretParts" -}}
{{- if eq . "web" -}}
["shared", "web"]
{{- else if eq . "worker" -}}
["shared", "worker"]
{{- else -}}
["shared", "web", "worker"]
{{- end -}}
{{- end -}}

{{/* The URL of Redis, empty if it is in a Secret. */}}
{{- define "incident-router.redisUrl" -}}
{{- if .Values.valkey.enabled -}}
redis://:$(VALKEY_PASSWORD)@{{ include "incident-router.fullname" . }}-valkey:6379/0
{{- else -}}
{{- .Values.redis.url | default "" -}}
{{- end -}}
{{- end -}}

{{/* `host:port` of Redis, empty if its URL is in a Secret. */}}
{{- define "incident-router.redisAddress" -}}
{{- with include "incident-router.redisUrl" . -}}
{{- $host := (urlParse (regexReplaceAll "//[^@]*@" . "//")).host -}}
{{- if $host -}}
{{- regexMatch ":[0-9]+$" $host | ternary $host (printf "%s:6379" $host) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The number of the Redis database. */}}
{{- define "incident-router.redisDatabase" -}}
{{- if .Values.redis.url -}}
{{- regexFind "[0-9]+$" (urlParse .Values.redis.url).path | default "0" -}}
{{- else -}}
{{- .Values.valkey.enabled | ternary 0 .Values.worker.keda.databaseIndex -}}
{{- end -}}
{{- end -}}

{{/* The Secret with Valkey's password. */}}
{{- define "incident-router.valkeySecret" -}}
{{- .Values.valkey.auth.existingSecret | default (printf "%s-valkey" (include "incident-router.fullname" .)) -}}
{{- end -}}

{{/* The key of Valkey's password in its Secret. */}}
{{- define "incident-router.valkeySecretKey" -}}
{{- .Values.valkey.auth.existingSecret | empty | ternary "password" .Values.valkey.auth.existingSecretPasswordKey -}}
{{- end -}}

{{/* What tells this installation from others that share an account at a vendor, unless the values say it. */}}
{{- define "incident-router.installation" -}}
{{- $named := dig "installation" "" .Values.config -}}
{{- range .Values.extraEnv -}}
{{- $named = eq .name "INCIDENT_ROUTER_INSTALLATION" | ternary .name $named -}}
{{- end -}}
{{- if not $named }}
- name: INCIDENT_ROUTER_INSTALLATION
  value: {{ printf "%s/%s" .Release.Namespace .Release.Name | quote }}
{{- end }}
{{- end -}}

{{/* The variables of a container. It is given a list: the root context, and the component's own variables. */}}
{{- define "incident-router.env" -}}
{{- $root := index . 0 -}}
- name: INCIDENT_ROUTER_CONFIG
  value: /etc/incident-router/incident-router.yaml
{{- include "incident-router.installation" $root }}
{{- if $root.Values.valkey.enabled }}
- name: VALKEY_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "incident-router.valkeySecret" $root }}
      key: {{ include "incident-router.valkeySecretKey" $root }}
{{- end }}
{{- with include "incident-router.redisUrl" $root }}
- name: REDIS_URL
  value: {{ . | quote }}
{{- end }}
{{- with concat ($root.Values.extraEnv | default list) (index . 1 | default list) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The mounts of a container of the router: its configuration, which is read once, and its rules, which are reloaded. */}}
{{- define "incident-router.volumeMounts" -}}
- name: config
  mountPath: /etc/incident-router/incident-router.yaml
  subPath: incident-router.yaml
  readOnly: true
- name: rules
  # The whole folder: a file that is mounted alone never changes.
  mountPath: /etc/incident-router/rules
  readOnly: true
{{- end -}}
