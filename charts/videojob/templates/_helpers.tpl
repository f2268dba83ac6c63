{{/* Names, labels and pieces that several templates share. Every define begins with "videojob.". */}}

{{- define "videojob.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "videojob.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "videojob.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "videojob.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped names carry the namespace too: two releases may have one name in two namespaces. */}}
{{- define "videojob.clustername" -}}
{{- $full := include "videojob.fullname" . -}}
{{- if eq $full .Release.Namespace -}}{{ $full }}{{- else -}}{{ printf "%s-%s" .Release.Namespace $full | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "videojob.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: videojob
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: videojob
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list root name component namespace annotations), and labels behind them where there are any: the metadata of an object.
Namespace "" is for cluster scope. What the chart itself says of an object comes before what the values add to it. */}}
{{- define "videojob.metadata" -}}
{{- $root := index . 0 -}}
{{- $annotations := merge (dict) (default (dict) (index . 4)) $root.Values.commonAnnotations -}}
{{- $labels := include "videojob.labels" $root | fromYaml -}}
{{- with index . 2 -}}{{- $_ := set $labels "app.kubernetes.io/component" . -}}{{- end -}}
{{- if gt (len .) 5 -}}{{- $labels = merge $labels (index . 5) -}}{{- end -}}
name: {{ index . 1 }}
{{- with index . 3 }}
namespace: {{ . }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (list root component): labels that select one component's pods. */}}
{{- define "videojob.selector" -}}
app.kubernetes.io/name: videojob
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* PriorityClass of the servers; empty for the cluster's default. */}}
{{- define "videojob.tritonPriority" -}}
{{- $own := ternary (printf "%s-servers" (include "videojob.clustername" .)) "" (and (eq .Values.scope "cluster") .Values.triton.priorityClass.create) -}}
{{- default $own .Values.triton.priorityClassName -}}
{{- end -}}

{{/* A dict with repository, tag, digest: how a pod names the image. */}}
{{- define "videojob.reference" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{- define "videojob.image" -}}
{{- include "videojob.reference" (dict "repository" .Values.image.repository "digest" .Values.image.digest "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end -}}

{{- define "videojob.controllerAccount" -}}{{ include "videojob.fullname" . }}-controller{{- end -}}
{{- define "videojob.tritonAccount" -}}{{ include "videojob.fullname" . }}-triton{{- end -}}
{{- define "videojob.testAccount" -}}{{ include "videojob.fullname" . }}-test{{- end -}}

{{/* The namespaces of tenants as {"tenants": [...]}, in JSON: those of the values, and the release's own when the test runs there. */}}
{{- define "videojob.tenants" -}}
{{- $tenants := list -}}
{{- $names := list -}}
{{- range .Values.tenants -}}
{{- if has .namespace $names -}}{{ fail (printf "tenants: %s occurs twice" .namespace) }}{{- end -}}
{{- $names = append $names .namespace -}}
{{- $tenants = append $tenants . -}}
{{- end -}}
{{- if and .Values.test.enabled (not (has .Release.Namespace $names)) -}}
{{- $tenants = append $tenants (dict "namespace" .Release.Namespace) -}}
{{- end -}}
{{- if and (eq .Values.scope "namespaced") (not $tenants) -}}
{{- fail "scope: namespaced serves the namespaces in tenants, and there are none" -}}
{{- end -}}
{{- dict "tenants" $tenants | toJson -}}
{{- end -}}

{{/* Environment by which a pod finds AWS, or what stands in for it: a YAML mapping. */}}
{{- define "videojob.awsEnvironment" -}}
{{- $env := dict -}}
{{- $region := default (ternary "us-east-1" "" .Values.trial.enabled) .Values.aws.region -}}
{{- /* boto3 reads the second name alone, other SDKs the first. */ -}}
{{- with $region -}}{{- $_ := set $env "AWS_REGION" . -}}{{- $_ := set $env "AWS_DEFAULT_REGION" . -}}{{- end -}}
{{- with .Values.aws.endpoints.s3 -}}{{- $_ := set $env "AWS_ENDPOINT_URL_S3" . -}}{{- end -}}
{{- with .Values.aws.endpoints.dynamodb -}}{{- $_ := set $env "AWS_ENDPOINT_URL_DYNAMODB" . -}}{{- end -}}
{{- if .Values.trial.enabled -}}
{{- $full := include "videojob.fullname" . -}}
{{- $_ := set $env "AWS_ENDPOINT_URL_S3" (printf "http://%s-trial-s3.%s.svc:5000" $full .Release.Namespace) -}}
{{- $_ := set $env "AWS_ENDPOINT_URL_DYNAMODB" (printf "http://%s-trial-dynamodb.%s.svc:8000" $full .Release.Namespace) -}}
{{- /* Not secrets: moto and DynamoDB Local take any, and the SDK wants some. */ -}}
{{- $_ := set $env "AWS_ACCESS_KEY_ID" "trial" -}}
{{- $_ := set $env "AWS_SECRET_ACCESS_KEY" "trial" -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{/* The taint of the chart's own CPU nodes. */}}
{{- define "videojob.cpuTaint" -}}
key: videojob.dev/dedicated
value: cpu
effect: NoSchedule
{{- end -}}

{{- define "videojob.ownCpuNodes" -}}
{{- if and (ne .Values.karpenter.flavor "none") .Values.karpenter.cpu.create .Values.karpenter.cpu.dedicated -}}true{{- end -}}
{{- end -}}

{{/* (list root tolerations): those, and that of the chart's own CPU nodes. */}}
{{- define "videojob.cpuTolerations" -}}
{{- $tolerations := index . 1 -}}
{{- if include "videojob.ownCpuNodes" (index . 0) -}}
{{- $tolerations = append $tolerations (dict "key" "videojob.dev/dedicated" "operator" "Equal" "value" "cpu" "effect" "NoSchedule") -}}
{{- end -}}
{{- toYaml $tolerations -}}
{{- end -}}

{{/* Pod Security "restricted", for a pod of the user given. */}}
{{- define "videojob.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "videojob.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
