"""Why no node is provisioned, shorter than the node provisioner says it, and what to change. Pure.

Karpenter answers for each of its NodePools at once and names every requirement that it knows; the scheduler answers for
every node. What helps nobody is left out, their own words for the rest stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from videojob.api.spec import VideoJobSpec
from videojob.planning.installation import Installation
from videojob.planning.state.observed import NODE_PROVISIONING

_FAILED = "Failed to schedule pod, "
_TAINT = "did not tolerate taint"
_LIMITS = re.compile(r"exceed limits for nodepool \(NodePool=([^)\s]+)\)|exhausted for nodepool \(NodePool=([^)\s]+)\)")
_ASKED = re.compile(r", requirements=(?P<requirements>.*), resources=(?P<resources>.*)$")
_POOL = re.compile(r"karpenter\.sh/nodepool In \[([^\]]+)\]")
_MACHINERY = ("karpenter.sh/", "karpenter.kwok.sh/", "videojob.dev/", "kubernetes.io/os", "kubernetes.io/hostname")
_KEPT = ("karpenter.sh/capacity-type",)
_CLAIM = re.compile(r"nodeclaim/(\S+?)(?:,|$)")
_PREEMPTION = re.compile(r"\s*(no new claims to deallocate,|preemption:).*$", re.DOTALL)


def plain_words(source: str, message: str) -> str:
    """What was said, without what a person knows already.

    Args:
        source: `PodProblem.source`.
        message: `PodProblem.message`.
    """
    if source == NODE_PROVISIONING:
        claim = _CLAIM.search(message)
        return message if claim is None else f"Karpenter starts nodeclaim/{claim[1]}"
    if source == "scheduler":
        return _PREEMPTION.sub("", message)
    if source != "karpenter":
        return message
    clauses = [_plain_clause(one) for one in _clauses(message)]
    # Each NodePool answers: that a pod does not belong into one of them is as it should be.
    telling = [one for one in dict.fromkeys(clauses) if not one.startswith(_TAINT)] or clauses
    return "; ".join(sorted(telling, key=lambda one: _LIMITS.search(one) is not None))


def _clauses(message: str) -> list[str]:
    return message.removeprefix(_FAILED).split("; ")


def _plain_clause(clause: str) -> str:
    """One NodePool's answer, without the requirements that are Karpenter's own."""
    asked = _ASKED.search(clause)
    if asked is None:
        return clause
    requirements = [
        one.replace("karpenter.k8s.aws/", "").replace("node.kubernetes.io/", "")
        for one in re.split(r", (?=[\w.-]+/)", asked["requirements"])
        if one.startswith(_KEPT) or not one.startswith(_MACHINERY)
    ]
    pool = _POOL.search(asked["requirements"])
    head = f"{clause[: asked.start()]} in NodePool {pool[1]}" if pool else clause[: asked.start()]
    return f"{head} ({', '.join([*requirements, *_resources(asked['resources'])])})"


def _resources(text: str) -> Iterator[str]:
    try:
        values = json.loads(text)
    except ValueError:
        yield text
        return
    for name, quantity in values.items():
        if name != "pods":
            yield f"{name} {quantity}"


def what_to_change(spec: VideoJobSpec, installation: Installation, said: str) -> str:
    """What could make capacity available, for this job and installation.

    Args:
        spec: of the job.
        installation: where nodes come from.
        said: the words of who refuses.
    """
    compute = spec.compute
    full = [one or other for one, other in _LIMITS.findall(said)]
    only_limits = bool(full) and all(_LIMITS.search(one) or one.startswith(_TAINT) for one in _clauses(said))
    advice = []
    if compute.instance_types is not None and not only_limits:
        advice.append("allow more spec.compute.instanceTypes")
    if compute.capacity_types is not None and len(compute.capacity_types) == 1 and not only_limits:
        advice.append("allow both spec.compute.capacityTypes")
    if installation.karpenter == "none":
        advice.append("add nodes of that kind, or let Karpenter provision them")
    elif not only_limits:
        advice.append("check the requirements and limits of the NodePools, and the account's quota")
    if full:
        names = " and ".join(dict.fromkeys(full))
        advice.append(f"wait until other work there ends, or raise spec.limits of NodePool {names}")
    text = ", or ".join(advice)
    return f"{text[0].upper()}{text[1:]}."
