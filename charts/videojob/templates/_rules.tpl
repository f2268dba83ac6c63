{{/* What the controller may do, each rule with what it is for. No secrets, no wildcards, nothing that could give more. */}}

{{/* In every namespace whose VideoJobs it serves. */}}
{{- define "videojob.rules.tenant" -}}
# The jobs: reads them, and removes those whose time to live is over.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [videojob.dev]
  resources: [videojobs/status]
  verbs: [get, patch]
# Their planner and workers.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, patch, delete]
# What the workers read of a job. Never listed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get, patch]
# How the workers fare, and what they say when they end.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# What it tells people; what the scheduler and Karpenter tell it.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch, get, list]
{{- end -}}

{{/* In the release's namespace. */}}
{{- define "videojob.rules.release" -}}
# Triton servers.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch, get, list]
# One controller at a time.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "videojob.fullname" . }}-controller]
  verbs: [get, update, patch]
{{- end -}}

{{/* Of the cluster. */}}
{{- define "videojob.rules.nodes" -}}
{{- if .Values.rbac.nodes -}}
# Type, zone and capacity of the nodes that servers and workers run on.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- end }}
{{- if ne .Values.karpenter.flavor "none" }}
# Why there is no node yet.
- apiGroups: [karpenter.sh]
  resources: [nodeclaims, nodepools]
  verbs: [get, list, watch]
{{- end }}
{{- end -}}
