{{/*
An Ingress. It is given a list: the root context, the values, the name of the Ingress and of its Service, the name of the
Service's port, and paths.
*/}}
{{- define "incident-router.ingress" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
{{- $name := index . 2 -}}
{{- $port := index . 3 -}}
{{- $paths := index . 4 -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $name }}
  labels:
    {{- include "incident-router.labels" $root | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $values.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $values.tls }}
  tls:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range $values.hosts }}
    - host: {{ . | quote }}
      http:
        paths:
          {{- range $paths }}
          - path: {{ . }}
            pathType: Prefix
            backend:
              service:
                name: {{ $name }}
                port: {name: {{ $port }}}
          {{- end }}
    {{- end }}
{{- end -}}

{{/*
An HTTPRoute. It is given a list: the root context, the values, the name of the HTTPRoute and of its Service, the number
of the Service's port, and paths.
*/}}
{{- define "incident-router.httpRoute" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
{{- $name := index . 2 -}}
{{- $port := index . 3 -}}
{{- $paths := index . 4 -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $name }}
  labels:
    {{- include "incident-router.labels" $root | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- toYaml $values.parentRefs | nindent 4 }}
  {{- with $values.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        {{- range $paths }}
        - path: {type: PathPrefix, value: {{ . }}}
        {{- end }}
      backendRefs:
        - name: {{ $name }}
          port: {{ $port }}
{{- end -}}
