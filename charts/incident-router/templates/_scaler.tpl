{{/* KEDA's scaler for the Redis that the router uses. */}}
{{- define "incident-router.scaler" -}}
{{- if dig "redis" "sentinel" "" .Values.config -}}
redis-sentinel-streams
{{- else if dig "redis" "cluster" false .Values.config -}}
redis-cluster-streams
{{- else -}}
redis-streams
{{- end -}}
{{- end -}}

{{/* The metadata by which KEDA finds Redis. */}}
{{- define "incident-router.scalerAddress" -}}
{{- $keda := .Values.worker.keda -}}
{{- $address := $keda.address | default (include "incident-router.redisAddress" .) -}}
{{- with dig "redis" "sentinel" "" .Values.config -}}
{{- if and .username (not $keda.authentication) -}}
{{- fail "worker.keda.authentication: `config.redis.sentinel.username` is set: name a TriggerAuthentication with `sentinelUsername` and `sentinelPassword`" -}}
{{- end -}}
{{- $nodes := list -}}
{{- range .nodes -}}
{{- $nodes = append $nodes (regexMatch ":[0-9]+$" . | ternary . (printf "%s:26379" .)) -}}
{{- end -}}
addresses: {{ join "," $nodes | quote }}
sentinelMaster: {{ .service | quote }}
databaseIndex: {{ include "incident-router.redisDatabase" $ | quote }}
{{- with dig "password" "env" "" . }}
{{- if not $keda.authentication }}
sentinelPasswordFromEnv: {{ . }}
{{- end }}
{{- end }}
{{- else -}}
{{- if not $address -}}
{{- fail "worker.keda.address: set it to `host:port` of Redis: its URL is in a Secret, which the chart can't read" -}}
{{- end -}}
{{- if dig "redis" "cluster" false .Values.config -}}
addresses: {{ $address | quote }}
{{- else -}}
address: {{ $address | quote }}
databaseIndex: {{ include "incident-router.redisDatabase" . | quote }}
{{- end -}}
{{- end -}}
{{- end -}}
