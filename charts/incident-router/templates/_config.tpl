{{/* The configuration file: what the values say, with the addresses and folders of the container over it. */}}
{{- define "incident-router.config" -}}
{{- $ours := dict
      "web" (dict "host" "0.0.0.0" "port" 8080)
      "management" (dict "host" "0.0.0.0" "port" 8082)
      "worker" (dict "health_host" "0.0.0.0" "health_port" 8081)
      "rules" "/etc/incident-router/rules" -}}
{{- mergeOverwrite (deepCopy .Values.config) $ours | toYaml -}}
{{- end -}}

{{/* Rule files, as the data of a ConfigMap. */}}
{{- define "incident-router.rules" -}}
{{- range $name, $content := .Values.rules -}}
{{ $name }}: {{ $content | toJson }}
{{ else -}}
# A folder without any rule file would be refused as a mistake.
00-none.yaml: "rules: []\n"
{{- end -}}
{{- end -}}

{{/* The Secret of one part of `secrets`, empty where there is none. It is given a list: the root context, the part. */}}
{{- define "incident-router.secret" -}}
{{- $part := get (index . 0).Values.secrets (index . 1) -}}
{{- if and $part.values $part.existing -}}
{{- fail (printf "secrets.%s: give either `existing`, the name of a Secret that is there, or `values` for one to be made" (index . 1)) -}}
{{- end -}}
{{- if $part.existing -}}
{{- $part.existing -}}
{{- else if $part.values -}}
{{- printf "%s-%s" (include "incident-router.fullname" (index . 0)) (index . 1) -}}
{{- end -}}
{{- end -}}

{{/* The parts of `secrets` that a component needs, in JSON: the door lets people in, the worker calls vendors. */}}
{{- define "incident-router.secretParts" -}}
{{- if eq . "web" -}}
["shared", "web"]
{{- else if eq . "worker" -}}
["shared", "worker"]
{{- else -}}
["shared", "web", "worker"]
{{- end -}}
{{- end -}}

{{/* Where Redis is, empty where a Secret says so. */}}
{{- define "incident-router.redisUrl" -}}
{{- if .Values.valkey.enabled -}}
{{- if .Values.redis.url -}}
{{- fail "redis.url: leave it empty with `valkey.enabled`, whose address the chart knows" -}}
{{- end -}}
{{- $password := empty .Values.valkey.passwordSecret | ternary "" ":$(VALKEY_PASSWORD)@" -}}
redis://{{ $password }}{{ include "incident-router.fullname" . }}-valkey:6379/0
{{- else -}}
{{- .Values.redis.url -}}
{{- end -}}
{{- end -}}

{{/* `host:port` of Redis, empty where a Secret says so. */}}
{{- define "incident-router.redisAddress" -}}
{{- with include "incident-router.redisUrl" . -}}
{{- $host := (urlParse (regexReplaceAll "//[^@]*@" . "//")).host -}}
{{- if $host -}}
{{- contains ":" $host | ternary $host (printf "%s:6379" $host) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The number of the database within Redis. */}}
{{- define "incident-router.redisDatabase" -}}
{{- regexFind "[0-9]+$" (urlParse (include "incident-router.redisUrl" . | replace "$(VALKEY_PASSWORD)" "")).path | default "0" -}}
{{- end -}}

{{/* A container's environment. It is given the root context. */}}
{{- define "incident-router.env" -}}
- name: INCIDENT_ROUTER_CONFIG
  value: /etc/incident-router/incident-router.yaml
{{- if and .Values.valkey.enabled .Values.valkey.passwordSecret }}
- name: VALKEY_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.valkey.passwordSecret }}
      key: password
{{- end }}
{{- with include "incident-router.redisUrl" . }}
- name: REDIS_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* What a container of the router mounts: its configuration, which is read once, and its rules, which are followed. */}}
{{- define "incident-router.volumeMounts" -}}
- name: config
  mountPath: /etc/incident-router/incident-router.yaml
  subPath: incident-router.yaml
  readOnly: true
- name: rules
  # The whole folder: a file mounted by itself would never change.
  mountPath: /etc/incident-router/rules
  readOnly: true
{{- end -}}
