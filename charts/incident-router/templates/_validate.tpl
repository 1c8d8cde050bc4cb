{{/* Everything that can be wrong between values: what the schema can't see, or can't explain. */}}
{{- define "incident-router.validate" -}}
{{- include "incident-router.validateRedis" . -}}
{{- include "incident-router.validateAddresses" . -}}
{{- include "incident-router.validateMemory" . -}}
{{- include "incident-router.validatePods" . -}}
{{- include "incident-router.validateValkey" . -}}
{{- end -}}

{{- define "incident-router.validateRedis" -}}
{{- $url := .Values.redis.url -}}
{{- if kindIs "string" (dig "redis" "url" nil .Values.config) -}}
{{- fail "config.redis.url: set `redis.url` instead, or {env: REDIS_URL} with a Secret that has the URL" -}}
{{- end -}}
{{- if and $url (contains "@" $url) -}}
{{- fail "redis.url: it has a user or a password: put the whole URL as REDIS_URL into a Secret, name that in `secrets.shared.existing`, and leave `redis.url` empty" -}}
{{- end -}}
{{- if and $url (not (regexMatch "^rediss?://[^/]+(/[0-9]*)?([?].*)?$" $url)) -}}
{{- fail (printf "redis.url: %q is no URL of Redis: write redis://HOST:PORT, or rediss://HOST:PORT for TLS" $url) -}}
{{- end -}}
{{- if and .Values.valkey.enabled $url -}}
{{- fail "redis.url: leave it empty with `valkey.enabled`, whose address the chart knows" -}}
{{- end -}}
{{- $variables := concat (.Values.extraEnv | default list) -}}
{{- range include "incident-router.components" . | fromJsonArray -}}
{{- $variables = concat $variables ((get $.Values .).extraEnv | default list) -}}
{{- end -}}
{{- $named := false -}}
{{- range $variables -}}
{{- if has .name (list "REDIS_URL" "INCIDENT_ROUTER_REDIS_URL") -}}
{{- $named = true -}}
{{- end -}}
{{- if or (has .name (list "INCIDENT_ROUTER_CONFIG" "VALKEY_PASSWORD")) (and (eq .name "REDIS_URL") (or $url $.Values.valkey.enabled)) -}}
{{- fail (printf "extraEnv: the chart sets %s: remove it, or the value that the chart takes it from" .name) -}}
{{- end -}}
{{- end -}}
{{- $shared := .Values.secrets.shared -}}
{{- if not (or $url .Values.valkey.enabled $shared.existing (hasKey ($shared.values | default dict) "REDIS_URL") .Values.extraEnvFrom $named (dig "redis" "url" "" .Values.config)) -}}
{{- fail "redis.url: the router needs Redis: set `redis.url`, or put REDIS_URL into a Secret that `secrets.shared.existing` names, or set `valkey.enabled`" -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.validateAddresses" -}}
{{- range $key, $port := dict "web.port" 8080 "web.health_port" 8081 "management.port" 8082 "worker.health_port" 8081 -}}
{{- $path := splitList "." $key -}}
{{- $given := dig (first $path) (last $path) $port $.Values.config -}}
{{- if ne (int $given) (int $port) -}}
{{- fail (printf "config.%s: the container's port is %d: remove it; `service.port` and `console.service.port` are the ports of Services" $key (int $port)) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "web.host" "web.health_host" "management.host" "worker.health_host" -}}
{{- $path := splitList "." $key -}}
{{- $host := dig (first $path) (last $path) "::" $.Values.config | toString -}}
{{- if or (hasPrefix "127." $host) (has $host (list "::1" "localhost")) -}}
{{- fail (printf "config.%s: probes and Services can't reach %s in a pod: remove it for ::, which is IPv4 and IPv6" $key $host) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.console.ingress.enabled .Values.ingress.enabled -}}
{{- range .Values.console.ingress.hosts -}}
{{- if has . $.Values.ingress.hosts -}}
{{- fail (printf "console.ingress.hosts: %q is a host of `ingress`, too: give the console its own host" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.console.httpRoute.enabled .Values.httpRoute.enabled -}}
{{- range .Values.console.httpRoute.hostnames -}}
{{- if has . $.Values.httpRoute.hostnames -}}
{{- fail (printf "console.httpRoute.hostnames: %q is a host of `httpRoute`, too: give the console its own host" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.validateMemory" -}}
{{- $component := include "incident-router.webhookComponent" . -}}
{{- $limit := include "incident-router.memoryLimit" . | int64 -}}
{{- $web := .Values.config.web | default dict -}}
{{- if $limit -}}
{{- if lt $limit (int64 201326592) -}}
{{- fail (printf "%s.resources.limits.memory: set at least 192Mi, which the process and a request of 16 MiB need; 512Mi is the default of web" $component) -}}
{{- end -}}
{{- if gt (include "incident-router.size" ($web.max_bytes_in_flight | default 0) | int64) (div $limit 2) -}}
{{- fail (printf "config.web.max_bytes_in_flight: it is above half of %s.resources.limits.memory, so requests could end the process: remove it for a quarter of the limit, or raise the limit" $component) -}}
{{- end -}}
{{- if gt (include "incident-router.size" ($web.max_body_bytes | default 0) | int64) (div $limit 8) -}}
{{- fail (printf "config.web.max_body_bytes: it is above an eighth of %s.resources.limits.memory, so one request could end the process: lower it, or raise the limit" $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.validatePods" -}}
{{- range $component := include "incident-router.components" . | fromJsonArray -}}
{{- $values := get $.Values $component -}}
{{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" -}}
{{- $probe := get $values $name | default dict -}}
{{- if gt (len (pick $probe "httpGet" "exec" "tcpSocket" "grpc")) 1 -}}
{{- fail (printf "%s.%s: it has more than one action: set `httpGet: null` to replace the chart's" $component $name) -}}
{{- end -}}
{{- end -}}
{{- range concat ($.Values.initContainers | default list) ($.Values.extraContainers | default list) -}}
{{- if eq .name $component -}}
{{- fail (printf "extraContainers: the chart has a container %q: choose another name" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name := list "prometheusRule" "dashboard" -}}
{{- range $label, $value := (get $.Values.monitoring $name).labels -}}
{{- if hasKey ($.Values.commonLabels | default dict) $label -}}
{{- fail (printf "commonLabels: %q is also in `monitoring.%s.labels`: remove it from one of them" $label $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
{{- if has .name (list "config" "rules") -}}
{{- fail (printf "extraVolumes: the chart has a volume %q: choose another name" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "incident-router.validateValkey" -}}
{{- if .Values.valkey.enabled -}}
{{- $auth := .Values.valkey.auth -}}
{{- if and $auth.password $auth.existingSecret -}}
{{- fail "valkey.auth: set either `existingSecret` or `password`" -}}
{{- end -}}
{{- if and $auth.password (not (regexMatch "^[A-Za-z0-9._~-]+$" $auth.password)) -}}
{{- fail "valkey.auth.password: it may have letters, digits, and . _ ~ - only, as it is part of a URL; leave it empty to have one generated" -}}
{{- end -}}
{{- $limit := include "incident-router.bytes" (dig "limits" "memory" "" (.Values.valkey.resources | default dict) | toString) | int64 -}}
{{- if and $limit (lt $limit (mul 2 (int .Values.valkey.maxMemoryMiB) 1048576)) -}}
{{- fail (printf "valkey.resources.limits.memory: set at least %dMi, twice `valkey.maxMemoryMiB`, as Valkey copies its memory when it rewrites its file" (mul 2 (int .Values.valkey.maxMemoryMiB))) -}}
{{- end -}}
{{- $name := printf "%s-valkey" (include "incident-router.fullname" .) -}}
{{- $before := lookup "apps/v1" "StatefulSet" .Release.Namespace $name | default dict -}}
{{- range dig "spec" "volumeClaimTemplates" list $before -}}
{{- $size := dig "spec" "resources" "requests" "storage" "" . -}}
{{- if and (not $.Values.valkey.persistence.existingClaim) $size (ne $size $.Values.valkey.persistence.size) -}}
{{- fail (printf "valkey.persistence.size: Kubernetes can't change it from %s to %s: set it in the claim (kubectl edit pvc data-%s-0), run kubectl delete statefulset %s --cascade=orphan, and upgrade again" $size $.Values.valkey.persistence.size $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
