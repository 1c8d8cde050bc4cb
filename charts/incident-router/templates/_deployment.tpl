{{/*
One Deployment. It is given a list: the root context, the component (web, worker or all), the program's command, the
port that answers probes, and the component's values.
*/}}
{{- define "incident-router.deployment" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $command := index . 2 -}}
{{- $port := index . 3 -}}
{{- $values := index . 4 -}}
{{- $fullname := include "incident-router.fullname" $root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $fullname }}-{{ $component }}
  labels:
    {{- include "incident-router.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $component }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "incident-router.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
  template:
    metadata:
      labels:
        {{- with $root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "incident-router.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
      annotations:
        # Configuration and rules are read at the start, so a change of them is a change of the pods.
        checksum/config: {{ include "incident-router.config" $root | sha256sum }}
        checksum/rules: {{ $root.Values.rules | toJson | sha256sum }}
        checksum/secrets: {{ $root.Values.secrets.values | toJson | sha256sum }}
        {{- with $root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "incident-router.serviceAccount" $root }}
      automountServiceAccountToken: false
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {{ $component }}
          image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $command }}]
          env:
            - name: INCIDENT_ROUTER_CONFIG
              value: /etc/incident-router/incident-router.yaml
            {{- with $root.Values.redis.url }}
            - name: REDIS_URL
              value: {{ . | quote }}
            {{- end }}
          envFrom:
            - secretRef:
                name: {{ include "incident-router.secret" $root }}
          ports:
            - name: http
              containerPort: {{ $port }}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 5
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            - name: config
              mountPath: /etc/incident-router/incident-router.yaml
              subPath: incident-router.yaml
              readOnly: true
            - name: rules
              mountPath: /etc/incident-router/rules
              readOnly: true
      volumes:
        - name: config
          configMap:
            name: {{ $fullname }}
        - name: rules
          configMap:
            name: {{ include "incident-router.rulesConfigMap" $root }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
