// Modules that carry CustomResourceDefinitions of others: tests validate the chart's objects against them. Nothing is built.
module videojob.dev/tools/crds

go 1.26.8

require (
	github.com/aws/karpenter-provider-aws v1.14.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
