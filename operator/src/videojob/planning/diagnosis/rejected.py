"""What Kubernetes will not make for a job: in its words, with what to change so that it does. Pure.

The API server refuses the controller's own request, or a controller of Kubernetes tells of the same about pods: quota,
Pod Security, policies and names that do not exist. Nothing has failed for good: it is asked for again and again, and
the job goes on when it is allowed.
"""

from __future__ import annotations

import re

REFUSED = "CreationRefused"
_ADVICE = (
    (r"service ?account .*not found", "Add the namespace to the chart's value `tenants`: workers lack an account."),
    (
        r"priorityclass|priority class",
        "Have that PriorityClass made, or make the job anew with one that `kubectl get priorityclasses` lists.",
    ),
    (r"exceeded quota|failed quota", "Raise the namespace's ResourceQuota, or let other work in it end."),
    (r"violates podsecurity", "Give the namespace a level of Pod Security that allows these pods: `restricted` does."),
    (r"admission webhook|validatingadmissionpolicy", "A policy of this cluster refuses it: ask who looks after that."),
    (r"(maximum|minimum) \S+ usage per", "Change the namespace's LimitRange, or the chart's value `worker`."),
    (r"cannot \S+ resource", "The controller lacks a right: upgrade the chart's release together with its roles."),
)  # fmt: skip


def what_to_allow(words: str) -> str:
    """What to change, by the words of the refusal; "" for words that nobody has thought of."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, words, re.IGNORECASE)), "")
