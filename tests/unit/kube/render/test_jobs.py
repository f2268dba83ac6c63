"""The objects of a VideoJob in its own namespace, and their names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import DIGEST, INSTALLATION, NOW_S, UID, a_catalogue, a_job
from videojob.api.metadata import Metadata
from videojob.api.text import DNS_LABEL, LABEL_VALUE, MODEL_NAME
from videojob.kube.names import (
    child_name,
    results_uid,
    server_key_from_text,
    server_key_text,
    server_labels,
    server_name,
)
from videojob.kube.render.events import event_of
from videojob.kube.render.jobs import config_map, plan_job, work_job
from videojob.planning.installation import WorkerSettings
from videojob.planning.placement.quantities import bytes_of
from videojob.planning.placement.tables import results_table
from videojob.planning.state.desired import EventDesired
from videojob.planning.state.ending import Ending
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import PlannerDesired, WorkersDesired
from videojob.worker.pods.program import read_job_file

KEY = ServerKey("face_detector", 1, "gpu", ("spot",), ("g6.xlarge",))


def work(job: Any = None, installation: Any = INSTALLATION, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "attempt": 2,
        "plan_attempt": 1,
        "epoch": 3,
        "server": KEY,
        "batch": 5,
        "completions": 40,
        "parallelism": 8,
        "suspended": True,
    }
    return work_job(job or a_job(), WorkersDesired(**values | changes), installation)


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(container)


names = st.from_regex(DNS_LABEL, fullmatch=True).filter(lambda name: len(name) <= 52)
parts = st.sampled_from(["job", "plan-1", "work-1", "work-20"])
keys = st.builds(
    ServerKey,
    st.one_of(
        st.from_regex(MODEL_NAME, fullmatch=True).filter(lambda name: len(name) <= 128),
        st.text("ab_-.A", min_size=1, max_size=3).filter(lambda name: re.fullmatch(MODEL_NAME, name)),
    ),
    st.integers(1, 3),
    st.sampled_from(["cpu", "gpu"]),
    st.sampled_from([(), ("spot",), ("on-demand", "spot")]),
    st.sampled_from([(), ("g6.xlarge",), ("c7i.large", "c7i.xlarge")]),
    st.sampled_from(["", "t4", "l4", "gpu", "cpu", "Tesla-T4", "tesla-t4"]),
)


@given(names, parts)
def test_children_have_names_that_fit_host_names_of_an_indexed_job(name: str, part: str) -> None:
    made = child_name(Metadata(name=name, uid=UID, labels={}, annotations={}), part)
    assert re.fullmatch(DNS_LABEL, made)
    assert len(made) + len("-99999") <= 63


def test_a_job_made_anew_under_its_name_has_other_children() -> None:
    one, two = a_job().metadata, a_job(uid="another").metadata
    assert child_name(one, "job") != child_name(two, "job")
    assert results_uid(one) == f"team.{UID}"


@given(keys, keys)
def test_servers_have_names_of_their_own(one: ServerKey, two: ServerKey) -> None:
    name = server_name(one)
    assert re.fullmatch(DNS_LABEL, name)
    assert (name == server_name(two)) == (one == two)
    assert server_key_from_text(server_key_text(one)) == one
    assert all(len(value) <= 63 and re.fullmatch(LABEL_VALUE, value) for value in server_labels(one).values())


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (ServerKey("face_detector", 1, "cpu"), "triton-face-detector-cpu"),
        (ServerKey("face_detector", 1, "gpu"), "triton-face-detector-gpu"),
        (ServerKey("face_detector", 1, "gpu", gpu="t4"), "triton-face-detector-t4"),
    ],
)
def test_a_plain_server_has_a_plain_name(key: ServerKey, name: str) -> None:
    assert server_name(key) == name


def test_keys_of_before_there_were_gpu_models_are_read_and_their_servers_keep_their_names() -> None:
    before = (
        '{"accelerator": "gpu", "capacity_types": ["spot"], "instance_types": [], '
        '"model": "face_detector", "version": 1}'
    )
    key = ServerKey("face_detector", 1, "gpu", ("spot",))
    assert (server_key_from_text(before), server_key_text(key)) == (key, before)
    assert server_name(key) == "triton-face-detector-gpu-3a1749e7"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model": "a"}', '{"model": "a", "version": 1, "gpu": 4}'])
def test_an_unreadable_key_is_an_error_of_three_kinds(text: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        server_key_from_text(text)


def test_pods_read_the_file_that_the_controller_writes(tmp_path: Path) -> None:
    job = a_job({"suspend": True, "results": {"dynamodb": {"tableName": "team-results"}}})
    made = config_map(job, INSTALLATION)
    (tmp_path / "job.json").write_text(made["data"]["job.json"])
    read = read_job_file(tmp_path / "job.json")
    assert (read.uid, read.table, read.region) == (f"team.{UID}", "team-results", "eu-central-1")
    assert (read.model_digest, read.model_version) == (DIGEST, 1)
    assert (read.job.spec.suspend, read.job.spec.model.name) == (False, "face_detector")
    assert made["immutable"]


def test_pods_are_told_how_long_items_are_kept_and_without_a_word_for_good(tmp_path: Path) -> None:
    """A file that says nothing is that of an earlier release, byte for byte."""
    results = replace(INSTALLATION.results, retention_s=604_800)
    for installation, expected in ((INSTALLATION, None), (replace(INSTALLATION, results=results), 604_800)):
        text = config_map(a_job(), installation)["data"]["job.json"]
        assert ("retentionSeconds" in text) is (expected is not None)
        (tmp_path / "job.json").write_text(text)
        assert read_job_file(tmp_path / "job.json").retention_s == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, ("videojob-results", "eu-central-1")),
        ({"tableName": "team-results"}, ("team-results", "eu-central-1")),
        ({"tableName": "team-results", "region": "us-east-1"}, ("team-results", "us-east-1")),
    ],
)
def test_results_go_where_the_job_or_the_installation_says(
    target: dict[str, str] | None, expected: tuple[str, str]
) -> None:
    job = a_job({} if target is None else {"results": {"dynamodb": target}})
    assert results_table(job.spec, INSTALLATION) == expected


def test_an_index_is_tried_as_often_as_the_job_says_and_a_hopeless_one_ends_the_job() -> None:
    spec = work(a_job({"backoffLimit": 2}))["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 40, 8)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"], spec["podReplacementPolicy"]) == (2, 0, "Failed")
    rules = [(rule["action"], rule.get("onExitCodes", {}).get("values")) for rule in spec["podFailurePolicy"]["rules"]]
    codes = [[int(ending)] for ending in (Ending.HOPELESS, Ending.EXHAUSTED, Ending.STOPPED)]
    assert rules == [("FailJob", codes[0]), ("FailIndex", codes[1]), ("Ignore", codes[2]), ("Ignore", None)]


def test_a_planner_that_cannot_be_helped_ends_at_once() -> None:
    made = plan_job(a_job({"backoffLimit": 1}), PlannerDesired(2, suspended=True), INSTALLATION)
    rules = made["spec"]["podFailurePolicy"]["rules"]
    assert (made["spec"]["backoffLimit"], made["spec"]["suspend"]) == (1, True)
    assert rules[0]["onExitCodes"]["values"] == [Ending.HOPELESS]
    assert container_of(made)["args"][:2] == ["worker", "plan"]
    assert "--attempt=2" in container_of(made)["args"]


def test_workers_are_told_their_run() -> None:
    made = work()
    assert container_of(made)["args"] == [
        "worker",
        "run",
        "--job=/etc/videojob/job/job.json",
        "--plan-attempt=1",
        "--epoch=3",
        "--batch=5",
        f"--server={server_name(KEY)}.videojob-system.svc:8001",
        "--model-version=1",
        "--workers=8",
        "--grace=60",
        "--backoff-limit=5",
    ]
    assert made["metadata"]["annotations"] == {
        "videojob.dev/epoch": "3",
        "videojob.dev/batch": "5",
        "videojob.dev/server-key": server_key_text(KEY),
    }


def test_workers_learn_from_kubernetes_how_many_pods_of_their_index_failed() -> None:
    (found,) = (one for one in container_of(work())["env"] if one["name"] == "VIDEOJOB_INDEX_FAILURES")
    path = found["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"


@pytest.mark.parametrize(("suspended", "made"), [(True, True), (False, False), (None, True)])
def test_a_job_for_kueue_is_made_held(suspended: bool | None, made: bool) -> None:
    job = a_job(labels={"kueue.x-k8s.io/queue-name": "gpus"})
    found = work(job, suspended=suspended)
    assert found["spec"]["suspend"] is made
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "kueue.x-k8s.io/queue-name" not in work()["metadata"]["labels"]


@pytest.mark.parametrize(("limit_s", "backstop_s"), [(None, 10 * 86_400), (600, 900)])
def test_kubernetes_ends_a_job_that_the_controller_forgot(limit_s: int | None, backstop_s: int) -> None:
    job = a_job({} if limit_s is None else {"activeDeadlineSeconds": limit_s})
    assert work(job)["spec"]["activeDeadlineSeconds"] == backstop_s
    planner = plan_job(job, PlannerDesired(1), INSTALLATION)["spec"]["activeDeadlineSeconds"]
    assert planner == min(backstop_s, 86_400)
    assert "ttlSecondsAfterFinished" not in work(job)["spec"]


def test_pods_have_few_rights_and_little_room() -> None:
    pod = work(a_job({"priorityClassName": "high"}))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == ("videojob-worker", "high")
    assert container["securityContext"]["readOnlyRootFilesystem"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "4Gi"}
    assert volumes["shm"]["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("4Gi", 4 << 30),
        ("500M", 500_000_000),
        ("1.5Ki", 1536),
        ("2k", 2000),
        ("1e9", 10**9),
        ("1E", 10**18),
        ("128974848", 128_974_848),
        ("128974848000m", 128_974_848),
    ],
)
def test_a_worker_is_told_the_limit_of_its_scratch_folder(quantity: str, expected: int) -> None:
    made = work(installation=a_catalogue(worker=WorkerSettings(scratch=quantity)))
    found = {one["name"]: one.get("value") for one in container_of(made)["env"]}
    assert found["VIDEOJOB_SCRATCH_BYTES"] == str(expected)
    volumes = {volume["name"]: volume for volume in made["spec"]["template"]["spec"]["volumes"]}
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": quantity}


@pytest.mark.parametrize(("scratch", "on_disk"), [("4Gi", "4224Mi"), ("1Gi", "1152Mi"), ("500M", "605Mi")])
def test_a_pod_asks_for_the_disk_that_it_may_fill(scratch: str, on_disk: str) -> None:
    installation = a_catalogue(worker=WorkerSettings(scratch=scratch))
    for made in (work(installation=installation), plan_job(a_job(), PlannerDesired(1), installation)):
        resources = container_of(made)["resources"]
        assert resources["requests"]["ephemeral-storage"] == resources["limits"]["ephemeral-storage"] == on_disk
        assert bytes_of(on_disk) - bytes_of(scratch) >= 100 << 20, "five log files of 10 MiB, and more"


@pytest.mark.parametrize("memory_limit", ["832Mi", "1Gi", "1536Mi", "8Gi"])
def test_what_a_pod_needs_at_most_fits_into_its_memory(memory_limit: str) -> None:
    installation = a_catalogue(worker=WorkerSettings(memory_limit=memory_limit))
    for made in (work(installation=installation), plan_job(a_job(), PlannerDesired(1), installation)):
        decoders_bytes = int(
            {one["name"]: one.get("value") for one in container_of(made)["env"]}["VIDEOJOB_DECODER_BYTES"]
        )
        volumes = [one.get("emptyDir", {}) for one in made["spec"]["template"]["spec"]["volumes"]]
        shared_bytes = sum(bytes_of(one["sizeLimit"]) for one in volumes if one.get("medium") == "Memory")
        limit_bytes = bytes_of(container_of(made)["resources"]["limits"]["memory"])
        assert limit_bytes - decoders_bytes - shared_bytes >= 384 << 20, "what the parent needs"
        assert decoders_bytes >= 192 << 20


def test_the_environment_is_the_installations_and_our_own_cannot_be_replaced() -> None:
    env = {"AWS_REGION": "eu-central-1", "HOME": "/root"}
    made = work(installation=a_catalogue(worker=WorkerSettings(env=env)))
    found = {one["name"]: one.get("value") for one in container_of(made)["env"]}
    assert found == {
        "AWS_REGION": "eu-central-1",
        "HOME": "/scratch",
        "TMPDIR": "/scratch",
        "VIDEOJOB_DECODER_BYTES": str(896 << 20),
        "VIDEOJOB_INDEX_FAILURES": None,
        "VIDEOJOB_SCRATCH": "/scratch",
        "VIDEOJOB_SCRATCH_BYTES": str(4 << 30),
    }


@pytest.mark.parametrize(
    ("compute", "accelerator", "flavor", "terms"),
    [
        ({}, "gpu", "karpenter", None),
        ({"capacityTypes": ["spot"]}, "gpu", "karpenter", [{"karpenter.sh/capacity-type": ["spot"]}]),
        (
            {"capacityTypes": ["spot"]},
            "gpu",
            "none",
            [{"karpenter.sh/capacity-type": ["spot"]}, {"eks.amazonaws.com/capacityType": ["SPOT"]}],
        ),
        ({"instanceTypes": ["g6.xlarge"]}, "gpu", "autoMode", None),
        (
            {"instanceTypes": ["c7i.xlarge"]},
            "cpu",
            "autoMode",
            [{"node.kubernetes.io/instance-type": ["c7i.xlarge"]}],
        ),
        (
            {"instanceTypes": ["c7i.xlarge"], "capacityTypes": ["on-demand"]},
            "cpu",
            "karpenter",
            [{"karpenter.sh/capacity-type": ["on-demand"], "node.kubernetes.io/instance-type": ["c7i.xlarge"]}],
        ),
    ],
)
def test_workers_go_where_the_job_allows(
    compute: dict[str, Any], accelerator: Any, flavor: str, terms: list[dict[str, Any]] | None
) -> None:
    types = tuple(compute.get("instanceTypes", ()))
    key = ServerKey("face_detector", 1, accelerator, (), types)
    made = work(a_job({"compute": compute}), a_catalogue(karpenter=flavor), server=key)
    affinity = made["spec"]["template"]["spec"]["affinity"]
    required = affinity.get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    found = required and [
        {one["key"]: one["values"] for one in term["matchExpressions"]} for term in required["nodeSelectorTerms"]
    ]
    assert found == terms


def test_workers_wish_to_be_in_the_servers_zone() -> None:
    affinity = work()["spec"]["template"]["spec"]["affinity"]["podAffinity"]
    (wish,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    term = wish["podAffinityTerm"]
    assert (term["topologyKey"], term["namespaces"]) == ("topology.kubernetes.io/zone", ["videojob-system"])
    assert term["labelSelector"]["matchLabels"]["videojob.dev/server"] == server_name(KEY)


def test_the_same_news_is_the_same_event_until_the_job_changes() -> None:
    news = EventDesired("Normal", "ModelReady", "the inference server is ready")
    one, later = event_of(a_job(), news, NOW_S), event_of(a_job(), news, NOW_S + 60)
    assert one["metadata"] == later["metadata"]
    assert one["metadata"] != event_of(a_job(generation=2), news, NOW_S)["metadata"]
    assert one["involvedObject"]["uid"] == UID
    assert len(event_of(a_job(), EventDesired("Normal", "Long", "x" * 5000), NOW_S)["message"]) == 1000


@pytest.mark.parametrize(
    ("labels", "start_s", "patience"),
    [
        ({}, 300, []),
        ({"kueue.x-k8s.io/queue-name": "gpus"}, 10, ["--patience=120"]),
        ({"kueue.x-k8s.io/queue-name": "gpus"}, 240, ["--patience=300"]),
        ({"kueue.x-k8s.io/queue-name": "gpus"}, 900, ["--patience=960"]),
    ],
)
def test_workers_that_kueue_lets_go_wait_for_as_long_as_their_server_takes_to_start(
    labels: dict[str, str], start_s: int, patience: list[str]
) -> None:
    installation = a_catalogue()
    model = installation.models["face_detector"]
    variants = {kind: replace(one, start_s=start_s) for kind, one in model.variants.items()}
    slow = a_catalogue(models={"face_detector": replace(model, variants=variants)})
    made = work(a_job(labels=labels), slow)
    assert [one for one in container_of(made)["args"] if one.startswith("--patience")] == patience


@pytest.mark.parametrize("made", [work(), plan_job(a_job(), PlannerDesired(1), INSTALLATION)], ids=["work", "plan"])
def test_a_spot_notice_may_evict_pods(made: dict[str, Any]) -> None:
    # Karpenter evicts no pod that has karpenter.sh/do-not-disrupt, whether its node is reclaimed or not.
    assert "annotations" not in made["spec"]["template"]["metadata"]
