"""What Kubernetes refuses to make: its words, and what to change."""

from __future__ import annotations

import pytest

from support.decisions import INSTALLATION, NOW_S, READY, a_job, a_status, a_work_job, condition, decide, running
from videojob.planning.diagnosis.rejected import what_to_allow
from videojob.planning.lifecycle.decide import snapshot_of
from videojob.planning.lifecycle.pods import PodsLifecycle
from videojob.planning.lifecycle.rejected import held_up
from videojob.planning.lifecycle.stored import stored_job


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ('pods "a-0-" is forbidden: error looking up service account team/videojob-worker: not found', "tenants"),
        ('pods "a-0-" is forbidden: error looking up service account team/w: serviceaccount "w" not found', "tenants"),
        ('pods "a" is forbidden: no PriorityClass with name urgent was found', "kubectl get priorityclasses"),
        ('pods "a" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=2', "ResourceQuota"),
        ('pods "a" is forbidden: failed quota: small: must specify limits.cpu for: videojob', "ResourceQuota"),
        ('pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces', "restricted"),
        ('admission webhook "policy.example" denied the request: no team label', "policy of this cluster"),
        ("ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: no", "policy of this cluster"),
        ('pods "a" is forbidden: maximum cpu usage per Container is 500m, but limit is 1', "LimitRange"),
        ('jobs.batch is forbidden: User "x" cannot create resource "jobs" in API group "batch"', "lacks a permission"),
        ("something that nobody thought of", ""),
    ],
)
def test_words_of_refusals_lead_to_what_to_change(words: str, advice: str) -> None:
    found = what_to_allow(words)
    assert advice in found
    assert bool(advice) == bool(found)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            {"message": "403 exceeded quota: small", "hint": "Log in again."},
            "small. Raise the namespace's ResourceQuota",
        ),
        ({"message": "422 unheard of", "hint": "Delete it."}, "422 unheard of. Delete it."),
        ({"message": "422 unheard of", "hint": ""}, "422 unheard of"),
    ],
)
def test_a_refusal_is_told_with_what_helps(error: dict[str, str], said: str) -> None:
    snapshot = snapshot_of(
        stored_job(a_job(status=a_status()), INSTALLATION), running(server=READY), INSTALLATION, NOW_S
    )
    told = held_up(snapshot, decide(snapshot.job, snapshot.observed, INSTALLATION, NOW_S), error, PodsLifecycle())
    assert (told.reason, condition(told, "Succeeded")) == ("CreationRefused", ("Unknown", "CreationRefused"))
    assert said in told.message
    assert [one.reason for one in told.events if one.type == "Warning"] == ["CreationRefused"]


@pytest.mark.parametrize(("suspended", "keeps"), [(False, True), (True, False)])
def test_only_workers_that_are_at_it_keep_a_server(suspended: bool, keeps: bool) -> None:
    observed = running(a_work_job(suspended=suspended), server=READY)
    snapshot = snapshot_of(stored_job(a_job(status=a_status()), INSTALLATION), observed, INSTALLATION, NOW_S)
    told = held_up(snapshot, decide(snapshot.job, observed, INSTALLATION, NOW_S), {"message": "no"}, PodsLifecycle())
    assert (told.demand is not None) == keeps
