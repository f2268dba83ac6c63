"""Combinations of the chart's values that must render to objects which Kubernetes takes."""

from __future__ import annotations

from typing import Any

from support.charts import DIGEST

MODEL: dict[str, Any] = {
    "version": 1,
    "digest": DIGEST,
    "source": {"s3": {"bucket": "models", "prefix": "face_detector/", "expectedBucketOwner": "123456789012"}},
    "variants": {
        "cpu": {"backend": "onnxruntime", "framesPerSecond": "20", "cpu": "2", "memory": "2Gi", "instances": 2},
        "gpu": {
            "backend": "tensorrt",
            "framesPerSecond": "900",
            "gpus": 1,
            "cpu": "3",
            "memory": "8Gi",
            "instances": 2,
            "startSeconds": 240,
        },
    },
}
CPU_ONLY: dict[str, Any] = {**MODEL, "variants": {"cpu": MODEL["variants"]["cpu"]}}
KARPENTER: dict[str, Any] = {"flavor": "karpenter", "clusterName": "videos", "nodeRole": "KarpenterNodeRole-videos"}
AUTO: dict[str, Any] = {"flavor": "autoMode", "clusterName": "videos", "nodeRole": "nodes"}
TENANTS: list[dict[str, Any]] = [{"namespace": "team-a"}, {"namespace": "team-b"}]
ROLE = "arn:aws:iam::123456789012:role/videojob"
ALONE: dict[str, Any] = {
    "scope": "namespaced",
    "crds": {"install": False},
    "rbac": {"nodes": False, "aggregate": False},
}
"""Everything in the release's own namespace."""

MATRIX: dict[str, dict[str, Any]] = {
    "nothing set": {},
    "a model": {"models": {"face_detector": MODEL}},
    "models from a volume and an image": {
        "models": {
            "a": {**MODEL, "source": {"pvc": {"claimName": "models", "path": "a"}}},
            "b": {**CPU_ONLY, "source": {"image": {"reference": f"registry.example/b@{DIGEST}", "path": "/model"}}},
        }
    },
    "images by digest": {
        "image": {"repository": "registry.example/videojob", "digest": DIGEST},
        "triton": {"gpu": {"image": {"digest": DIGEST}}, "cpu": {"image": {"digest": DIGEST}}},
    },
    "tenants": {"tenants": TENANTS},
    "namespaced": {"scope": "namespaced", "tenants": TENANTS},
    "in one namespace": ALONE,
    "no RBAC": {"rbac": {"create": False, "aggregate": False}},
    "no CRD": {"crds": {"install": False}},
    "a CRD that goes": {"crds": {"keep": False}},
    "no network policies": {"networkPolicy": {"enabled": False}},
    "own pods denied": {
        "networkPolicy": {"defaultDeny": "own", "monitoring": {"namespaceSelector": {"matchLabels": {"a": "b"}}}}
    },
    "IPv6": {
        "networkPolicy": {
            "egress": {"cidrs": ["0.0.0.0/0", "::/0"], "except": ["169.254.0.0/16", "fd00:ec2::/32"]},
            "apiServer": {"cidrs": ["10.0.0.0/8", "fd00::/8"], "ports": [443]},
            "dns": {"cidrs": []},
        }
    },
    "IRSA": {
        "aws": {
            "identity": "irsa",
            "region": "eu-central-1",
            "irsa": {"controllerRoleArn": ROLE, "tritonRoleArn": ROLE},
        },
        "tenants": [{"namespace": "team-a", "roleArn": ROLE}],
    },
    "other endpoints": {
        "aws": {"identity": "none", "endpoints": {"s3": "http://minio.s3:9000", "dynamodb": "http://db.s3:8000"}},
        "networkPolicy": {"egress": {"extraPorts": [9000, 8000]}},
    },
    "trial": {"trial": {"enabled": True}, "aws": {"identity": "none"}, "models": {"face_detector": CPU_ONLY}},
    "trial in one namespace": {**ALONE, "trial": {"enabled": True}, "networkPolicy": {"enabled": False}},
    "Karpenter": {"karpenter": {**KARPENTER, "tags": {"team": "video"}}},
    "Karpenter for GPUs only": {"karpenter": {**KARPENTER, "cpu": {"create": False}}},
    "Karpenter for CPUs only": {
        "karpenter": {
            **KARPENTER,
            "gpu": {"create": False},
            "cpu": {"dedicated": False, "architectures": ["amd64", "arm64"]},
        }
    },
    "Karpenter with other nodes": {
        "karpenter": {
            "flavor": "karpenter",
            "nodeClassRef": {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"},
            "gpu": {
                "requirements": [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6.xlarge"]}]
            },
            "cpu": {"requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]},
        }
    },
    "Karpenter with named subnets": {
        "karpenter": {
            **KARPENTER,
            "subnetSelectorTerms": [{"id": "subnet-0123456789abcdef0"}],
            "securityGroupSelectorTerms": [{"id": "sg-0123456789abcdef0"}],
        }
    },
    "Auto Mode": {"karpenter": {"flavor": "autoMode"}},
    "Auto Mode with fast disks": {
        "karpenter": {**AUTO, "autoMode": {"createNodeClass": True}, "tags": {"team": "video"}}
    },
    "monitored": {
        "monitoring": {
            "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        }
    },
    "a priority class": {"priorityClass": {"create": True}},
    "labels, annotations and places": {
        "commonLabels": {"team": "video"},
        "commonAnnotations": {"owner": "video@example.com"},
        "imagePullSecrets": [{"name": "registry"}],
        "controller": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "system", "operator": "Exists"}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
                    }
                }
            },
            "podLabels": {"a": "b"},
            "podAnnotations": {"c": "d"},
            "env": {"LOG_LEVEL": "debug"},
            "priorityClassName": "system-cluster-critical",
        },
        "models": {"face_detector": MODEL},
        "trial": {"enabled": True},
    },
    "other names": {"fullnameOverride": "movies", "worker": {"serviceAccount": {"name": "movies-worker"}}},
    "no test": {"test": {"enabled": False}},
    "a test on a video of one's own": {
        "models": {"face_detector": MODEL},
        "test": {"model": "face_detector", "video": {"bucket": "videos", "key": "a.mp4"}, "accelerator": "gpu"},
    },
}
