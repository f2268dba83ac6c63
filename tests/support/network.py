"""Evaluates NetworkPolicies as Kubernetes defines them: nothing on the machines of tests enforces any.

A connection between two pods is let through when the policies that select its source allow it to go out, and those that
select its target allow it to come in; a pod that no policy selects may do all. Blocks of addresses are taken to hold
every pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """Where a pod is, and what it carries."""

    namespace: str
    labels: Mapping[str, str]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches all."""
    expressions = selector.get("matchExpressions", ())
    return labels.items() >= selector.get("matchLabels", {}).items() and all(
        _holds(one["operator"], labels.get(one["key"]), one.get("values", ())) for one in expressions
    )


def _holds(operator: str, value: str | None, values: Iterable[str]) -> bool:
    match operator:
        case "In":
            return value in set(values)
        case "NotIn":
            return value not in set(values)
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"no such operator: {operator}")


def of_pod(policies: Iterable[Policy], pod: Pod) -> list[Policy]:
    """The policies that select a pod."""
    own = (one for one in policies if one["metadata"]["namespace"] == pod.namespace)
    return [one for one in own if selects(one["spec"]["podSelector"], pod.labels)]


def lets_through(policies: Iterable[Policy], source: Pod, target: Pod, port: int) -> bool:
    """Whether `source` may open a TCP connection to `target`."""
    known = list(policies)
    goes_out = _allows(of_pod(known, source), "Egress", "to", target, port)
    return goes_out and _allows(of_pod(known, target), "Ingress", "from", source, port)


def _allows(policies: Iterable[Policy], way: str, peers: str, other: Pod, port: int) -> bool:
    concerned = [one for one in policies if way in one["spec"]["policyTypes"]]
    rules = [(one, rule) for one in concerned for rule in one["spec"].get(way.lower(), ())]
    return not concerned or any(
        _has_port(rule, port) and _has_peer(rule.get(peers, ()), other, one["metadata"]["namespace"])
        for one, rule in rules
    )


def _has_port(rule: Mapping[str, Any], port: int) -> bool:
    ports = rule.get("ports", ())
    return not ports or any(one["port"] == port and one.get("protocol", "TCP") == "TCP" for one in ports)


def _has_peer(peers: Iterable[Mapping[str, Any]], other: Pod, namespace: str) -> bool:
    found = list(peers)
    return not found or any(_is_peer(peer, other, namespace) for peer in found)


def _is_peer(peer: Mapping[str, Any], other: Pod, namespace: str) -> bool:
    if "ipBlock" in peer:
        return True
    if "namespaceSelector" in peer:
        near = selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        near = other.namespace == namespace
    return near and selects(peer.get("podSelector", {}), other.labels)
