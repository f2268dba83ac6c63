{{/* What the controller may do, each rule with what it is for: what its code asks for, and no more. No secrets, no wildcards. */}}

{{/* In every namespace whose VideoJobs it serves. */}}
{{- define "videojob.rules.tenant" -}}
# The jobs: it marks none but its own, and removes those whose time to live is over.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  verbs: [get, list, watch, delete]
- apiGroups: [videojob.dev]
  resources: [videojobs/status]
  verbs: [patch]
# Their planner and workers.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, watch, patch, delete]
# What the workers read of a job. Never read, nor listed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
# How the workers fare, and what they say when they end.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
# What it tells people; what the scheduler and Karpenter tell it.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
# Whether a namespace is being deleted, when one of its pods lingers.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
# kopf watches all kinds in the same namespaces, though servers and the controller's Lease are in one.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [videojob-controller]
  verbs: [list, watch]
# Its claim, without which it leaves a namespace to another release of the same controllerName.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [videojob-claim-{{ .Values.controllerName }}]
  verbs: [get, update]
{{- if eq .Values.scope "namespaced" }}
{{ include "videojob.rules.scope" . }}
{{- end }}
{{- end -}}

{{/* Where installations of one scope agree on which of them serves it: in `default` for the whole cluster. */}}
{{- define "videojob.rules.scope" -}}
# Which release serves this scope; the others serve nothing.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "videojob.scopeLease" . }}]
  verbs: [get, update]
# The Role of this rule, which that Lease belongs to: it goes with the release.
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles]
  resourceNames: [{{ include "videojob.scopeRole" . }}]
  verbs: [get]
{{- end -}}

{{/* Name of the Role with these rules. */}}
{{- define "videojob.scopeRole" -}}
{{ include "videojob.clustername" . }}-{{ ternary "scope" "jobs" (eq .Values.scope "cluster") }}
{{- end -}}

{{/* Name of that Lease, as kube/names.py makes it: the release's own namespace makes no other scope. */}}
{{- define "videojob.scopeLease" -}}
{{- $name := printf "videojob-scope-%s" .Values.controllerName -}}
{{- if eq .Values.scope "namespaced" -}}
{{- $names := list -}}
{{- range (include "videojob.tenants" . | fromJson).tenants -}}{{- $names = append $names .namespace -}}{{- end -}}
{{- $others := without $names .Release.Namespace | default (list .Release.Namespace) | sortAlpha -}}
{{- $name = printf "%s.%s" $name ($others | join "," | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* In the release's namespace. */}}
{{- define "videojob.rules.release" -}}
# Triton servers, by server-side apply; those that nobody asked for during an hour are removed.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [create, get, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
# What it tells people of itself; what the scheduler and Karpenter tell it.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
# All kinds are watched in the same namespaces.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  verbs: [list, watch]
# What an older release has left.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  resourceNames: [videojob-canary]
  verbs: [get, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
# One controller at a time. The Lease is the chart's, so none is made; its renewals prove that the watches hear.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [videojob-controller]
  verbs: [get, list, watch, update]
{{- end -}}

{{/* Of the cluster. */}}
{{- define "videojob.rules.cluster" -}}
{{- if .Values.rbac.nodes -}}
# Type, zone and way of payment of the node that a server runs on.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end }}
{{- if eq .Values.scope "cluster" }}
# So that it notices when the CRD comes, goes and comes back.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}
{{- end -}}
