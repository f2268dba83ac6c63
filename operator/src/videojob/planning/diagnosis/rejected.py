"""What Kubernetes will not make for a job: with its message and what to change so that it does. Pure.

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
        "Create that PriorityClass, or create the job again with one that `kubectl get priorityclasses` lists.",
    ),
    (r"exceeded quota|failed quota", "Raise the namespace's ResourceQuota, or wait until other pods in it end."),
    (r"violates podsecurity", "Set a Pod Security level that allows these pods for the namespace: `restricted` does."),
    (r"admission webhook|validatingadmissionpolicy", "A policy of this cluster rejects it: ask its administrator."),
    (r"(maximum|minimum) \S+ usage per", "Change the namespace's LimitRange, or the chart's value `worker`."),
    (r"cannot \S+ resource", "The controller lacks a permission: upgrade the chart's release together with its roles."),
)  # fmt: skip


def what_to_allow(words: str) -> str:
    """What to change, by the words of the refusal; "" for words that nobody has thought of."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, words, re.IGNORECASE)), "")
