"""Manifests that must be accepted, by the loader and by the kube-apiserver alike."""

from __future__ import annotations

from support.manifests.build import Case

ARN = "arn:aws:sns:eu-central-1:123456789012:jobs-done"
S3 = {"s3": {"bucket": "videos", "key": "lobby/a.mp4"}}


def _input(name: str, source: dict[str, object]) -> Case:
    return Case(name, {"spec.inputs": [source]})


def _url(name: str, url: str) -> Case:
    return _input(f"url: {name}", {"http": {"url": url}})


def _path(name: str, path: str) -> Case:
    return _input(f"path: {name}", {"file": {"path": path}})


GOOD = (
    Case("minimal"),
    Case(
        "everything",
        {
            "metadata.labels": {"kueue.x-k8s.io/queue-name": "night", "team": ""},
            "metadata.annotations": {"example.com/Note": "two\nlines"},
            "spec.inputs": [
                {"name": "a", "s3": {"bucket": "my.videos-1", "key": "x y/ä.mp4", "versionId": "null"}},
                {"name": "b", "s3": {"bucket": "videos", "prefix": "2026/", "expectedBucketOwner": "012345678901"}},
                {"name": "all", "s3": {"bucket": "archive", "prefix": ""}},
                {"http": {"url": "https://media.example.com/a.mp4"}},
            ],
            "spec.model": {
                "name": "yolo11.v2",
                "version": 3,
                "threshold": "0.35",
                "classes": ["person", "traffic light"],
            },
            "spec.sampling": {"framesPerSecond": "2.5", "gate": {"threshold": "1.5", "maxSkip": "500ms"}},
            "spec.aggregation": {"window": "1m", "presenceGap": "1s500ms", "track": True},
            "spec.compute": {
                "backend": "kubernetes",
                "accelerator": "gpu",
                "capacityTypes": ["spot", "on-demand"],
                "instanceTypes": ["g6.xlarge", "g4dn.metal", "u-6tb1.112xlarge"],
                "limits": {"cpus": 64, "gpus": 4, "workers": 32},
                "segmentSeconds": 60,
            },
            "spec.deadline": {"completeWithin": "1h30m"},
            "spec.budget": {"maxCost": "12.50"},
            "spec.results": {
                "dynamodb": {"tableName": "Results_1", "region": "us-gov-west-1"},
                "detections": {"enabled": True, "s3": {"bucket": "out", "prefix": "lobby/"}},
                "preview": {"mode": "blur", "s3": {"bucket": "out", "expectedBucketOwner": "123456789012"}},
            },
            "spec.notifications": {"success": {"snsTopicArn": ARN}, "error": {"snsTopicArn": ARN + ".fifo"}},
            "spec.onCorruption": "Skip",
            "spec.suspend": True,
            "spec.backoffLimit": 0,
            "spec.activeDeadlineSeconds": 7200,
            "spec.ttlSecondsAfterFinished": 0,
            "spec.priorityClassName": "batch.low",
        },
    ),
    Case("empty groups", {f"spec.{name}": {} for name in ("sampling", "aggregation", "compute", "results")}),
    Case("empty outputs", {"spec.results": {"detections": {}, "preview": {}}}),
    Case("empty gate", {"spec.sampling.gate": {}}),
    Case("empty limits", {"spec.compute.limits": {}}),
    Case("nulls count as absent", {"spec.sampling": None, "spec.deadline": None, "spec.model.version": None}),
    Case("nulls inside groups", {"spec.sampling.keyframesOnly": None, "spec.compute.backend": None}),
    Case("null beside the chosen source", {"spec.inputs": [{"s3": None, "http": None, "file": {"path": "a.mp4"}}]}),
    Case("longest name", {"metadata.name": "a" * 52}),
    Case("every nth frame", {"spec.sampling.everyNthFrame": 100_000}),
    Case("keyframes only", {"spec.sampling.keyframesOnly": True}),
    Case("keyframes off beside a rate", {"spec.sampling": {"keyframesOnly": False, "framesPerSecond": "1"}}),
    Case("gate beside keyframes", {"spec.sampling": {"keyframesOnly": True, "gate": {"threshold": "255"}}}),
    Case("whole rate", {"spec.sampling": {"framesPerSecond": 2, "gate": {"threshold": 3}}}),
    Case("highest whole rate", {"spec.sampling.framesPerSecond": 240}),
    Case("whole thresholds", {"spec.model.threshold": 1}),
    Case("threshold of a whole zero", {"spec.model.threshold": 0}),
    Case("whole budget", {"spec.budget.maxCost": 10_000_000}),
    Case("lowest rate", {"spec.sampling.framesPerSecond": "0.001"}),
    Case("highest rate", {"spec.sampling.framesPerSecond": "240.000"}),
    Case("threshold 0", {"spec.model.threshold": "0"}),
    Case("threshold 1", {"spec.model.threshold": "1.000000"}),
    Case("window of one second", {"spec.aggregation.window": "1000ms"}),
    Case("window of one hour", {"spec.aggregation.window": "59m60s"}),
    Case("deadline of thirty days", {"spec.deadline.completeWithin": "720h"}),
    Case("deadline equal to the limit", {"spec.deadline.completeWithin": "1h", "spec.activeDeadlineSeconds": 3600}),
    Case(
        "deadline above the limit by milliseconds",
        {"spec.deadline.completeWithin": "10s999ms", "spec.activeDeadlineSeconds": 10},
    ),
    Case("cheapest budget", {"spec.budget.maxCost": "0.000001"}),
    Case("no GPU on auto", {"spec.compute": {"accelerator": "auto", "limits": {"gpus": 0}}}),
    Case("local backend with a file", {"spec.compute.backend": "local"}),
    Case("lambda with s3", {"spec.compute.backend": "lambda", "spec.inputs": [S3]}),
    Case(
        "cluster without outputs switched on",
        {"spec.compute.backend": "sagemaker", "spec.inputs": [S3], "spec.results": {"detections": {"enabled": False}}},
    ),
    Case("only the error topic", {"spec.notifications": {"error": {"snsTopicArn": ARN}}}),
    Case("most inputs", {"spec.inputs": [{"name": f"v{n}", "file": {"path": f"{n}.mp4"}} for n in range(256)]}),
    Case("same path twice", {"spec.inputs": [{"file": {"path": "a.mp4"}}] * 2}),
    Case("whole number as float", {"spec.backoffLimit": 2.0}),
    _path("absolute", "/videos/a.mp4"),
    _path("colon behind ./", "./12:30.mp4"),
    _path("comma", "subfiles, all.mp4"),
    _path("colon in a folder", "a/b:c.mp4"),
    _path("dots inside a name", "a..b/...mp4"),
    _path("spaces and umlauts", "Aufnahme für Köln.mp4"),
    _path("folder", "videos/"),
    _url("plain http", "http://example.com/a.mp4"),
    _url("port and query", "https://a.b-c.example:65535/v?x=1&y=%20"),
    _url("no path", "https://example.com"),
    _url("query without path", "https://example.com?id=7"),
    _url("public IPv4", "http://93.184.216.34/a.mp4"),
    _url("public IPv6", "http://[2606:2800:220:1::1]:8080/a.mp4"),
    _url("name that begins with numbers", "http://10.cdn.example.com/a.mp4"),
    _url("name that has a local word inside", "http://local.example.com/a.mp4"),
    _url("172.32 is public", "http://172.32.0.1/a"),
    _url("at sign in the path", "https://example.com/@user/a.mp4"),
    _url("dots in the path", "https://example.com/../a.mp4"),
)
