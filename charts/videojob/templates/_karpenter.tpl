{{/* (list root pool): who makes the nodes of a pool. */}}
{{- define "videojob.nodeClassRef" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.karpenter.nodeClassRef -}}
{{- toYaml $root.Values.karpenter.nodeClassRef -}}
{{- else if eq $root.Values.karpenter.flavor "karpenter" -}}
group: karpenter.k8s.aws
kind: EC2NodeClass
name: {{ include "videojob.clustername" $root }}-{{ index . 1 }}
{{- else -}}
group: eks.amazonaws.com
kind: NodeClass
name: {{ ternary (printf "%s-%s" (include "videojob.clustername" $root) (index . 1)) "default" $root.Values.karpenter.autoMode.createNodeClass }}
{{- end -}}
{{- end -}}

{{/* Prefix of the labels that describe instances. */}}
{{- define "videojob.instanceLabels" -}}
{{- ternary "eks.amazonaws.com" "karpenter.k8s.aws" (eq .Values.karpenter.flavor "autoMode") -}}
{{- end -}}

{{/* Empty nodes go all at once: by Karpenter's own budget of a tenth at a time idle ones would be paid one after the other. */}}
{{- define "videojob.budgets" -}}
budgets:
  - {nodes: "100%", reasons: [Empty]}
  - {nodes: "10%", reasons: [Drifted, Underutilized]}
{{- end -}}

{{/*
GPUs of an instance, as a JSON list of strings: as many as one replica takes. Karpenter puts pods that come together onto
one instance if there is one large enough, though several small ones are far cheaper for each GPU.
*/}}
{{- define "videojob.gpuCounts" -}}
{{- $counts := list -}}
{{- range .Values.karpenter.gpu.instanceGpuCounts -}}{{- $counts = append $counts (. | int64 | toString) -}}{{- end -}}
{{- if not $counts -}}
{{- range $name, $model := .Values.models -}}
{{- $gpus := dig "variants" "gpu" "gpus" 0 $model | int64 -}}
{{- if $gpus -}}{{- $counts = append $counts ($gpus | toString) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- default (list "1") $counts | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Terms that select subnets or security groups: (list root own). */}}
{{- define "videojob.selectorTerms" -}}
{{- $root := index . 0 -}}
{{- if index . 1 -}}
{{- toYaml (index . 1) -}}
{{- else -}}
- tags:
    karpenter.sh/discovery: {{ required "karpenter.clusterName is needed to find subnets and security groups" $root.Values.karpenter.clusterName | quote }}
{{- end -}}
{{- end -}}
