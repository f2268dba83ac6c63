{{/* What the controller may do, each rule with its purpose: what its code requests, and no more. No Secrets, no wildcards. */}}

{{/* In every namespace whose VideoJobs it serves. */}}
{{- define "videojob.rules.tenant" -}}
# VideoJobs: it writes their status only, and deletes those whose time to live is over.
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
# The job's specification for the workers. Never read or listed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
# The workers' states and termination messages.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
# Its own Events; those of the scheduler and Karpenter.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
# Whether a namespace is being deleted, when one of its pods does not end.
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
# Its claim on a namespace, against other releases with the same controllerName.
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
# Which release serves this scope; others serve nothing.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "videojob.scopeLease" . }}]
  verbs: [get, update]
# The Role of this rule, which owns that Lease: it is deleted with the release.
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
# Triton servers, by server-side apply; those without demand for an hour are deleted.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [create, get, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
# The catalogue of speeds, which is made when the first job has ended.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [videojob-speeds]
  verbs: [get, update]
# Its Events about itself; those of the scheduler and Karpenter.
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
# All kinds are watched in the same namespaces.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  verbs: [list, watch]
# Left behind by an older release.
- apiGroups: [videojob.dev]
  resources: [videojobs]
  resourceNames: [videojob-canary]
  verbs: [get, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch]
# One controller at a time. The Lease is the chart's, so none is created; its renewals prove that the watches deliver.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [videojob-controller]
  verbs: [get, list, watch, update]
{{- end -}}

{{/* Of the cluster. */}}
{{- define "videojob.rules.cluster" -}}
{{- if .Values.rbac.nodes -}}
# Instance type, zone and capacity type of a server's node.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end }}
{{- if and .Values.rbac.nodePools (ne .Values.karpenter.flavor "none") }}
# Which instance types may be launched for a job, and how much of the limits is left: it chooses among these by price.
- apiGroups: [karpenter.sh]
  resources: [nodepools]
  verbs: [list]
{{- end }}
{{- if eq .Values.scope "cluster" }}
# So that it observes when the CRD is created or deleted.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}
{{- end -}}
