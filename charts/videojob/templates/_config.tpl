{{/* The controller's configuration, as controller/config.py reads it. */}}
{{- define "videojob.config" -}}
{{- $worker := .Values.worker -}}
{{- $triton := .Values.triton -}}
{{- $namespaces := list -}}
{{- if eq .Values.scope "namespaced" -}}
{{- range (include "videojob.tenants" . | fromJson).tenants -}}{{- $namespaces = append $namespaces .namespace -}}{{- end -}}
{{- end -}}
image: {{ include "videojob.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
namespaces: {{ toJson $namespaces }}
controllerName: {{ .Values.controllerName | quote }}
scopeOwner: {{ ternary (include "videojob.scopeRole" .) "" .Values.rbac.create | quote }}
results:
  table: {{ .Values.results.table | quote }}
  allowedTables: {{ toJson .Values.results.allowedTables }}
  region: {{ .Values.aws.region | default (ternary "us-east-1" nil .Values.trial.enabled) | toJson }}
  createTable: {{ or .Values.results.createTable .Values.trial.enabled }}
  {{- with .Values.results.retentionDays }}
  retentionDays: {{ int . }}
  {{- end }}
worker:
  serviceAccount: {{ $worker.serviceAccount.name }}
  cpu: {{ $worker.cpu | quote }}
  memory: {{ $worker.memory | quote }}
  memoryLimit: {{ $worker.memoryLimit | quote }}
  scratch: {{ $worker.scratch | quote }}
  framesPerSecond: {{ $worker.framesPerSecond | quote }}
  startSeconds: {{ $worker.startSeconds | int64 }}
  maxWorkers: {{ $worker.maxWorkers | int64 }}
  gracePeriodSeconds: {{ $worker.gracePeriodSeconds | int64 }}
  nodeSelector: {{ toJson $worker.nodeSelector }}
  tolerations: {{ include "videojob.cpuTolerations" (list . $worker.tolerations) | fromYamlArray | toJson }}
  env: {{ merge (deepCopy $worker.env) (include "videojob.awsEnvironment" . | fromYaml) | toJson }}
triton:
  namespace: {{ .Release.Namespace }}
  serviceAccount: {{ include "videojob.tritonAccount" . }}
  priorityClassName: {{ include "videojob.tritonPriority" . | quote }}
{{- with $triton.gpu }}
{{- if .enabled }}
  gpu:
    image: {{ include "videojob.reference" .image | quote }}
    idleSeconds: {{ .idleSeconds | int64 }}
    nodeSelector: {{ toJson .nodeSelector }}
    tolerations: {{ toJson .tolerations }}
    gpuModels: {{ toJson .gpuModels }}
    gpuFamilies: {{ include "videojob.gpuFamilies" $ }}
    gpuModelLabel: {{ include "videojob.gpuModelLabel" $ | quote }}
{{- end }}
{{- end }}
{{- with $triton.cpu }}
{{- if .enabled }}
  cpu:
    image: {{ include "videojob.reference" .image | quote }}
    idleSeconds: {{ .idleSeconds | int64 }}
    nodeSelector: {{ toJson .nodeSelector }}
    tolerations: {{ include "videojob.cpuTolerations" (list $ .tolerations) | fromYamlArray | toJson }}
{{- end }}
{{- end }}
karpenter: {{ .Values.karpenter.flavor }}
{{- with .Values.prices }}
prices:
  source: {{ .source }}
  metricsUrl: {{ .metricsUrl | quote }}
  refreshSeconds: {{ .refreshSeconds | int64 }}
  overrides: {{ toJson .overrides }}
  discounts: {{ toJson .discounts }}
  small: {{ toJson .small }}
{{- end }}
{{- if .Values.models }}
models:
  {{- toYaml .Values.models | nindent 2 }}
{{- else }}
models: {}
{{- end }}
{{- end -}}
