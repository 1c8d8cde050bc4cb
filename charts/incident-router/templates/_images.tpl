{{/* The reference of the router's image. */}}
{{- define "incident-router.image" -}}
{{- include "incident-router.reference" (list . "image" .Values.image .Chart.AppVersion) -}}
{{- end -}}

{{/* The reference of Valkey's image. */}}
{{- define "incident-router.valkeyImage" -}}
{{- include "incident-router.reference" (list . "valkey.image" .Values.valkey.image "") -}}
{{- end -}}

{{/*
The reference of an image: registry, repository, tag, and digest. It is given a list: the root context, the name of the
value, the value, and the default tag.
*/}}
{{- define "incident-router.reference" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $image := index . 2 -}}
{{- $tag := $image.tag | default (index . 3) -}}
{{- $registry := $root.Values.global.imageRegistry | default $image.registry -}}
{{- if hasPrefix "sha256:" $tag -}}
{{- fail (printf "%s.tag: this is a digest: put it into `%s.digest`" $name $name) -}}
{{- end -}}
{{- if and (contains "@" $tag) $image.digest -}}
{{- fail (printf "%s.digest: `%s.tag` has a digest, too: leave one of them out" $name $name) -}}
{{- end -}}
{{- if and (contains "@" $tag) (not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]*@sha256:[0-9a-f]{64}$" $tag)) -}}
{{- fail (printf "%s.tag: %q is no tag: write `1.2.3`, or `1.2.3@sha256:` and 64 hexadecimal digits" $name $tag) -}}
{{- end -}}
{{- if and $image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $image.digest)) -}}
{{- fail (printf "%s.digest: %q is no digest: write `sha256:` and 64 hexadecimal digits" $name $image.digest) -}}
{{- end -}}
{{- $first := first (splitList "/" $image.repository) -}}
{{- if and $registry (contains "/" $image.repository) (or (contains "." $first) (contains ":" $first) (eq $first "localhost")) -}}
{{- fail (printf "%s.repository: %q begins with a registry, and a registry is set, too: move it to `%s.registry`" $name $image.repository $name) -}}
{{- end -}}
{{- with $registry -}}{{ trimSuffix "/" . }}/{{- end -}}
{{- $image.repository -}}
{{- with $tag -}}:{{ . }}{{- end -}}
{{- with $image.digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{/* The pull secrets of all pods, each as a map with a name, in JSON. */}}
{{- define "incident-router.pullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) (.Values.imagePullSecrets | default list) -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- $found := list -}}
{{- range $names | uniq -}}
{{- $found = append $found (dict "name" .) -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}
