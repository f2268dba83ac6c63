"""Checks of what is around an installation: AWS identity, the tenant's namespace, Kueue, Prometheus. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from videojob.kube.doctor.findings import Finding, NotRead, Object, joined, name_of, ok, problem, unchecked, warning
from videojob.planning.state.pods import QUEUE_LABEL

ROLE = "eks.amazonaws.com/role-arn"
_ENFORCE = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True)
class Account:
    """A service account: whose pods use it, its "namespace/name", and what was read; None when it is not there."""

    who: str
    place: str
    found: Object | NotRead | None


def identity_findings(accounts: Sequence[Account], *, stands_in: bool) -> Iterator[Finding]:
    """How pods get AWS rights.

    Args:
        accounts: of all pods.
        stands_in: something else than AWS answers, by endpoints: no rights are needed.
    """
    bare: list[str] = []
    for one in accounts:
        check = f"identity of {one.who}"
        if isinstance(one.found, NotRead):
            yield unchecked(check, one.found.why)
        elif one.found is None:
            advice = "Add the namespace to the chart's value tenants: the account is created there."
            yield problem(check, f"the service account {one.place} does not exist, so no pod can be created", advice)
        elif role := (one.found["metadata"].get("annotations") or {}).get(ROLE):
            yield ok(check, f"IRSA: {one.place} has the role {role}; only AWS knows whether the role trusts it")
        else:
            bare.append(one.place)
    if bare and stands_in:
        yield ok("identity", f"{joined(bare)} need no role: S3 and DynamoDB are not those of AWS")
    elif bare:
        why = f"{joined(bare)} have no role annotation, and the cluster does not show Pod Identity associations"
        yield unchecked("identity", why, "`aws eks list-pod-identity-associations --cluster-name NAME` lists them.")


def namespace_finding(namespace: str, found: Object | NotRead | None) -> Finding:
    """Whether the tenant's namespace is there and demands what workers fulfil."""
    check = f"namespace {namespace}"
    if isinstance(found, NotRead):
        return unchecked(check, found.why)
    if found is None:
        return problem(check, "not found", f"`kubectl create namespace {namespace}`, or give another with -n.")
    level = (found["metadata"].get("labels") or {}).get(_ENFORCE)
    if level == "restricted":
        return ok(check, "Pod Security is enforced at `restricted`, which workers meet")
    advice = f"`kubectl label namespace {namespace} {_ENFORCE}=restricted`: workers meet it."
    return warning(check, f"Pod Security is enforced at `{level}`" if level else "no Pod Security is enforced", advice)


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The jobs of a namespace, and Kueue's LocalQueues there."""

    jobs: Sequence[Object] | NotRead
    queues: Sequence[Object] | NotRead


def queue_finding(facts: QueueFacts) -> Finding | None:
    """Whether the queues that jobs name are there; None when no job names one."""
    check = "Kueue"
    if isinstance(facts.jobs, NotRead):
        return None
    labels = ((one["metadata"].get("labels") or {}).get(QUEUE_LABEL) for one in facts.jobs)
    named = sorted({label for label in labels if label})
    if not named:
        return None
    if isinstance(facts.queues, NotRead):
        if facts.queues.missing:
            advice = f"Install Kueue, or remove the label {QUEUE_LABEL}: such jobs wait for it for ever."
            return problem(check, f"jobs name the queue {joined(named)}, but Kueue is not installed", advice)
        return unchecked(check, facts.queues.why)
    there = {name_of(one) for one in facts.queues}
    missing = [name for name in named if name not in there]
    if missing:
        seen = f"jobs name the LocalQueue {joined(missing)}, which is not in their namespace"
        return problem(check, seen, f"Create it, or use one of: {joined(sorted(there)) or 'none found'}.")
    return ok(check, f"the LocalQueues that jobs name exist: {joined(named)}")


@dataclass(frozen=True, slots=True)
class MonitoringFacts:
    """What of the Prometheus operator was read.

    Attributes:
        prometheuses: its servers. monitors: ServiceMonitors and PodMonitors of the release, by kind.
        namespace: of the release, with its labels.
    """

    prometheuses: Sequence[Object] | NotRead
    monitors: Mapping[str, Sequence[Object] | NotRead]
    namespace: Object | NotRead | None


_SELECTORS = {"ServiceMonitor": "serviceMonitor", "PodMonitor": "podMonitor"}


def monitoring_findings(facts: MonitoringFacts) -> list[Finding]:
    """Whether anybody scrapes the controller and the servers."""
    check = "Prometheus"
    switch = "The chart's monitoring.serviceMonitor and monitoring.podMonitor create what Prometheus selects."
    if any(isinstance(one, NotRead) and one.missing for one in (facts.prometheuses, *facts.monitors.values())):
        return [unchecked(check, "no Prometheus operator found; other scrapers are not visible")]
    if isinstance(facts.prometheuses, NotRead):
        return [unchecked(check, facts.prometheuses.why)]
    found = {kind: one for kind, one in facts.monitors.items() if not isinstance(one, NotRead) and one}
    if not found:
        return [warning(check, "no monitor selects this installation", switch)]
    return [_selected(kind, list(monitors), facts) for kind, monitors in found.items()]


def _selected(kind: str, monitors: Sequence[Object], facts: MonitoringFacts) -> Finding:
    check = f"Prometheus {kind}"
    servers = () if isinstance(facts.prometheuses, NotRead) else facts.prometheuses
    if not servers:
        return warning(check, "no Prometheus selects it", "Create one, or use another scraper.")
    namespace = None if isinstance(facts.namespace, NotRead) else facts.namespace
    ignored = [
        name_of(monitor)
        for monitor in monitors
        if not any(_selects(server["spec"], kind, monitor, namespace) for server in servers)
    ]
    if ignored:
        required = [str(one["spec"].get(f"{_SELECTORS[kind]}Selector")) for one in servers]
        field = f"monitoring.{_SELECTORS[kind]}.labels"
        return warning(check, f"no Prometheus selects {joined(ignored)}", f"Set {field} to meet: {joined(required)}.")
    return ok(check, f"selected: {joined([name_of(one) for one in monitors])}")


def _selects(spec: Object, kind: str, monitor: Object, namespace: Object | None) -> bool:
    """An absent selector selects nothing, an empty one all; an absent one for namespaces means the server's own."""
    by_label = spec.get(f"{_SELECTORS[kind]}Selector")
    by_namespace = spec.get(f"{_SELECTORS[kind]}NamespaceSelector")
    if by_label is None or not matches(by_label, monitor["metadata"].get("labels") or {}):
        return False
    if by_namespace is None or namespace is None:
        return True
    return matches(by_namespace, namespace["metadata"].get("labels") or {})


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """A label selector of Kubernetes."""
    exact = all(labels.get(name) == value for name, value in (selector.get("matchLabels") or {}).items())
    return exact and all(_meets(one, labels) for one in selector.get("matchExpressions") or ())


def _meets(expression: Object, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
