{{/*
The memory budget for requests in flight: a quarter of the memory limit of the pods that receive webhooks. Without a
limit, a quarter of the default limit: a quarter of the node's memory is too much.
*/}}
{{- define "incident-router.bytesInFlight" -}}
{{- max (div (include "incident-router.memoryLimit" . | int64 | default 536870912) 4) 33554432 -}}
{{- end -}}

{{/* The memory limit in bytes of the pods that receive webhooks; 0 without one. */}}
{{- define "incident-router.memoryLimit" -}}
{{- $resources := (get .Values (include "incident-router.webhookComponent" .)).resources | default dict -}}
{{- include "incident-router.bytes" (dig "limits" "memory" "" $resources | toString) -}}
{{- end -}}

{{/* A quantity in bytes; 0 if it is empty or in a form that isn't known here. */}}
{{- define "incident-router.bytes" -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $unit := trimPrefix $number . | toString -}}
{{- if and (regexMatch "^[0-9]+([.][0-9]+)?$" $number) (hasKey $factors $unit) -}}
{{- mulf (float64 $number) (get $factors $unit) | floor | int64 -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* A size of the configuration in bytes: a number, or a text as 100MiB. */}}
{{- define "incident-router.size" -}}
{{- kindIs "string" . | ternary (include "incident-router.bytes" (. | toString | trimSuffix "B")) (float64 . | printf "%.0f") -}}
{{- end -}}
