{{- define "upsert-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "upsert-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "upsert-gateway.labels" -}}
{{ include "upsert-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ default .Chart.AppVersion .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "upsert-gateway.isSqlite" -}}
{{- if eq .Values.store.kind "sqlite" }}yes{{ end -}}
{{- end -}}

{{- define "upsert-gateway.hasSeveral" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}yes{{ end -}}
{{- end -}}

{{- /* What cannot work is refused before anything is installed. */ -}}
{{- define "upsert-gateway.check" -}}
{{- if include "upsert-gateway.isSqlite" . -}}
{{- if include "upsert-gateway.hasSeveral" . -}}
{{- fail "a SQLite file is one process's: set replicas: 1 and autoscaling.enabled: false, or store.kind: postgresql" -}}
{{- end -}}
{{- else if not .Values.store.postgresql.secret -}}
{{- fail "store.postgresql.secret has to name the Secret that holds the URL of the database" -}}
{{- end -}}
{{- if eq (int .Values.ports.http) (int .Values.ports.metrics) -}}
{{- fail "ports.http and ports.metrics have to differ: /metrics needs no key" -}}
{{- end -}}
{{- end -}}
