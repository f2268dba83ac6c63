{{/* Pieces of NetworkPolicies; each is a list of egress rules. */}}

{{- define "videojob.egress.dns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
  {{- /* In EKS Auto Mode the DNS is a service of the node, at no address that a policy could name. */}}
  {{- if ne .Values.karpenter.flavor "autoMode" }}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace }}
    {{- range .Values.networkPolicy.dns.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "videojob.egress.apiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {port: {{ . | int64 }}, protocol: TCP}
    {{- end }}
  to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
{{- end -}}

{{/* S3, DynamoDB and the source of credentials for them. */}}
{{- define "videojob.egress.aws" -}}
{{- $policy := .Values.networkPolicy.egress -}}
- ports:
    {{- range concat (list 443 80) $policy.extraPorts }}
    - {port: {{ . | int64 }}, protocol: TCP}
    {{- end }}
  to:
    {{- range $policy.cidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
        {{- /* An exception must lie inside the range: IPv4 ones do not go with IPv6 ranges. */}}
        {{- $v6 := contains ":" . }}
        {{- $inside := list }}
        {{- range $policy.except }}
        {{- if eq $v6 (contains ":" .) }}{{ $inside = append $inside . }}{{ end }}
        {{- end }}
        {{- with $inside }}
        except: {{ toJson . }}
        {{- end }}
    {{- end }}
{{- if eq .Values.aws.identity "podIdentity" }}
- ports:
    - {port: 80, protocol: TCP}
  to:
    # The agent of EKS Pod Identity on the node.
    - ipBlock: {cidr: 169.254.170.23/32}
    - ipBlock: {cidr: "fd00:ec2::23/128"}
{{- end }}
{{- if .Values.trial.enabled }}
- ports:
    - {port: 5000, protocol: TCP}
    - {port: 8000, protocol: TCP}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Release.Namespace }}
      podSelector:
        matchLabels:
          app.kubernetes.io/name: videojob
          app.kubernetes.io/instance: {{ .Release.Name }}
        matchExpressions:
          - {key: app.kubernetes.io/component, operator: In, values: [trial-s3, trial-dynamodb]}
{{- end }}
{{- end -}}

{{/* Karpenter's metrics, where prices come from there. Their namespace is the second part of NAME.NAMESPACE.svc. */}}
{{- define "videojob.egress.karpenter" -}}
{{- $wanted := .Values.prices.source -}}
{{- $address := urlParse .Values.prices.metricsUrl -}}
{{- $parts := splitList "." $address.hostname -}}
{{- if and (or (eq $wanted "karpenter") (and (eq $wanted "auto") (eq .Values.karpenter.flavor "karpenter"))) (gt (len $parts) 2) (eq (index (append $parts "") 2) "svc") -}}
- ports:
    - {port: {{ regexFind ":[0-9]+$" $address.host | trimPrefix ":" | default (ternary 443 80 (eq $address.scheme "https")) }}, protocol: TCP}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ index $parts 1 }}
      podSelector:
        matchLabels:
          app.kubernetes.io/name: karpenter
{{- end }}
{{- end -}}

{{/* Selects the namespaces with workers: in both scopes those of the tenants, as only they have the workers' account. Pods
elsewhere may carry the same labels. Empty when there is none. */}}
{{- define "videojob.workerNamespaces" -}}
{{- with (include "videojob.tenants" . | fromJson).tenants -}}
matchExpressions:
  - key: kubernetes.io/metadata.name
    operator: In
    values:
      {{- range . }}
      - {{ .namespace }}
      {{- end }}
{{- end -}}
{{- end -}}

{{- define "videojob.monitoringNamespaces" -}}
{{- toYaml .Values.networkPolicy.monitoring.namespaceSelector -}}
{{- end -}}
