// Modules that carry CustomResourceDefinitions of others, which tests validate the chart's objects against, and the stages by
// which kwok plays nodes and pods. Nothing is built.
module videojob.dev/tools/crds

go 1.26.8

require (
	github.com/aws/karpenter-provider-aws v1.14.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/karpenter v1.14.1
	sigs.k8s.io/kwok v0.8.0
)
