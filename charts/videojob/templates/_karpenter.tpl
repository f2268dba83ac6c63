{{/* (list root pool): the node provisioner of a pool. */}}
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

{{/*
Empty nodes are removed all at once: with Karpenter's default budget of a tenth, idle ones would be paid one after another.
Nodes with pods are not consolidated: it costs segments and the start of a server. A drifted one goes when it is
empty, at its age of expireAfter at the latest.
*/}}
{{- define "videojob.budgets" -}}
budgets:
  - {nodes: "100%", reasons: [Empty]}
  - {nodes: "0", reasons: [Drifted, Underutilized]}
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

{{/*
{"sizes": sizes of GPU instances, empty for any, "cpuPerGpu": most vCPUs that a GPU brings, 0 for unknown}, in JSON. The
sizes of the G families: Nxlarge has 4 N vCPUs; one GPU up to 16xlarge but for the 12xlarge, which has four as the 24xlarge,
and eight in a 48xlarge.
*/}}
{{- define "videojob.gpuSizes" -}}
{{- $known := dict "1" (dict "sizes" (list "xlarge" "2xlarge") "cpu" 8) "4" (dict "sizes" (list "12xlarge") "cpu" 12) "8" (dict "sizes" (list "48xlarge") "cpu" 24) -}}
{{- $counts := include "videojob.gpuCounts" . | fromJsonArray -}}
{{- $sizes := .Values.karpenter.gpu.instanceSizes -}}
{{- $cpu := 0 -}}
{{- $isKnown := true -}}
{{- if $sizes -}}
{{- $least := first $counts | int64 -}}
{{- range $counts -}}{{- $least = min $least (int64 .) -}}{{- end -}}
{{- range $sizes -}}
{{- if not (regexMatch "^[0-9]*xlarge$" .) -}}{{- $isKnown = false -}}{{- end -}}
{{- $cpu = max $cpu (divf (mul 4 (default "1" (trimSuffix "xlarge" .) | int64)) $least | ceil | int64) -}}
{{- end -}}
{{- else -}}
{{- range $counts -}}
{{- with get $known . -}}
{{- $sizes = concat $sizes .sizes -}}
{{- $cpu = max $cpu .cpu -}}
{{- else -}}{{- $isKnown = false -}}{{- end -}}
{{- end -}}
{{- if not $isKnown -}}{{- $sizes = list -}}{{- end -}}
{{- end -}}
{{- dict "sizes" $sizes "cpuPerGpu" (ternary $cpu 0 $isKnown) | toJson -}}
{{- end -}}

{{/* Limits of the GPU pool, with one of vCPUs where the sizes determine it. */}}
{{- define "videojob.gpuLimits" -}}
{{- $gpu := .Values.karpenter.gpu -}}
{{- $limits := deepCopy $gpu.limits -}}
{{- $cpu := (include "videojob.gpuSizes" . | fromJson).cpuPerGpu | int64 -}}
{{- $gpus := get $limits "nvidia.com/gpu" -}}
{{- if and $gpus $cpu (not $gpu.requirements) (not (hasKey $limits "cpu")) -}}
{{- $_ := set $limits "cpu" (mul $cpu (toString $gpus | int64) | toString) -}}
{{- end -}}
{{- toYaml $limits -}}
{{- end -}}

{{/* Instance families of the chart's own GPU NodePool, as a JSON list; empty where the chart does not choose instances. */}}
{{- define "videojob.gpuFamilies" -}}
{{- $karpenter := .Values.karpenter -}}
{{- $isOwn := and (ne $karpenter.flavor "none") $karpenter.gpu.create (not $karpenter.gpu.requirements) -}}
{{- ternary $karpenter.gpu.instanceFamilies list $isOwn | toJson -}}
{{- end -}}

{{/* Label of nodes with their GPU model; empty when nodes have none that is known. */}}
{{- define "videojob.gpuModelLabel" -}}
{{- $own := ternary "" (printf "%s/instance-gpu-name" (include "videojob.instanceLabels" .)) (eq .Values.karpenter.flavor "none") -}}
{{- default $own .Values.triton.gpu.gpuModelLabel -}}
{{- end -}}

{{/*
(list root own kind): terms that select "subnets" or "groups". In EKS Auto Mode by what a cluster of eksctl has without
further tags: its subnets carry eksctl's own, and EKS tags the security group that it makes for each cluster.
*/}}
{{- define "videojob.selectorTerms" -}}
{{- $root := index . 0 -}}
{{- if index . 1 -}}
{{- toYaml (index . 1) -}}
{{- else -}}
- tags:
    {{- if and (eq $root.Values.karpenter.flavor "autoMode") (eq (index . 2) "subnets") }}
    alpha.eksctl.io/cluster-name: {{ required "karpenter.clusterName is needed to find the subnets" $root.Values.karpenter.clusterName | quote }}
    kubernetes.io/role/internal-elb: "1"
    {{- else if eq $root.Values.karpenter.flavor "autoMode" }}
    aws:eks:cluster-name: {{ required "karpenter.clusterName is needed to find the security group" $root.Values.karpenter.clusterName | quote }}
    {{- else }}
    karpenter.sh/discovery: {{ required "karpenter.clusterName is needed to find subnets and security groups" $root.Values.karpenter.clusterName | quote }}
    {{- end }}
{{- end -}}
{{- end -}}
