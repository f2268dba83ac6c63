"""Checks of what the chart installs: API server, CRD, rights, controller, Lease. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from videojob.kube.doctor.findings import Finding, NotRead, Object, joined, name_of, ok, problem, unchecked, warning
from videojob.planning.state.last_status import seconds_of

_INSTALL = "Install the chart: docs/guides/install-eks.md or install-kind.md."
_OLDEST = (1, 29)
"""The oldest Kubernetes whose Jobs have all that is used: a backoff limit and failures per index."""


@dataclass(frozen=True, slots=True)
class Right:
    """Something that somebody has to be allowed to.

    Attributes:
        where: "tenant" (the job's namespace), "release" (the controller's) or "cluster".
        purpose: what it is for, in a few words.
        essential: without it nothing works.
    """

    verb: str
    group: str
    resource: str
    where: Literal["tenant", "release", "cluster"] = "tenant"
    subresource: str = ""
    name: str = ""
    purpose: str = ""
    essential: bool = False

    def __str__(self) -> str:
        kind = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {kind}{f'.{self.group}' if self.group else ''}"


_OURS = "videojob.dev"
USER_RIGHTS = (
    Right("get", _OURS, "videojobs", purpose="see jobs", essential=True),
    Right("list", _OURS, "videojobs", purpose="see jobs", essential=True),
    Right("watch", _OURS, "videojobs", purpose="watch", essential=True),
    Right("create", _OURS, "videojobs", purpose="create jobs"),
    Right("patch", _OURS, "videojobs", purpose="suspend and resume"),
    Right("delete", _OURS, "videojobs", purpose="delete jobs"),
    Right("list", "", "events", purpose="Events in watch"),
    Right("list", "", "pods", purpose="logs"),
    Right("get", "", "pods", subresource="log", purpose="logs"),
    Right("list", "batch", "jobs", purpose="logs of the server"),
    Right("list", "", "configmaps", purpose="finding a job's table"),
)
CONTROLLER_RIGHTS = (
    Right("list", _OURS, "videojobs"),
    Right("watch", _OURS, "videojobs"),
    Right("patch", _OURS, "videojobs", subresource="status"),
    Right("create", "batch", "jobs"),
    Right("patch", "batch", "jobs"),
    Right("delete", "batch", "jobs"),
    Right("create", "", "configmaps"),
    Right("list", "", "pods"),
    Right("create", "", "events"),
    Right("create", "apps", "deployments", "release"),
    Right("patch", "apps", "deployments", "release"),
    Right("patch", "", "services", "release"),
    Right("list", "", "pods", "release"),
    Right("update", "coordination.k8s.io", "leases", "release", name="videojob-controller"),
)


def api_finding(address: str, version: Mapping[str, str] | NotRead) -> Finding:
    """Whether the API server answers, and which it is."""
    check = "API server"
    if isinstance(version, NotRead):
        advice = "Check the kubeconfig's context, the network to it, and that you are logged in."
        return problem(check, f"{address} cannot be used: {version.why}", advice)
    seen = f"Kubernetes {version.get('gitVersion', 'of an unknown version')} at {address}"
    if (kubernetes_version(version) or (0, 0)) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return warning(check, seen, f"Upgrade: the Jobs of Kubernetes before {oldest} lack limits per index.")
    return ok(check, seen)


def kubernetes_version(version: Mapping[str, str]) -> tuple[int, int] | None:
    """(major, minor) of what the API server says of itself, as EKS' "1" and "36+"; None when it does not tell."""
    major, minor = ("".join(filter(str.isdigit, version.get(part, ""))) for part in ("major", "minor"))
    return (int(major), int(minor)) if major and minor else None


def crd_finding(stored: Object | NotRead | None, expected: Object) -> Finding:
    """Whether the CRD is there, served, and that of this version."""
    check = "CRD"
    if isinstance(stored, NotRead):
        return unchecked(check, stored.why, "The right to get customresourcedefinitions is enough.")
    if stored is None:
        return problem(check, f"{name_of(expected)} was not found", _INSTALL)
    conditions = {one["type"]: one for one in (stored.get("status") or {}).get("conditions") or ()}
    if conditions.get("Established", {}).get("status") != "True":
        why = conditions.get("Established", {}).get("message") or conditions.get("NamesAccepted", {}).get("message")
        return problem(check, f"installed but not served: {why or 'its status does not say why'}", _INSTALL)
    if not _holds(stored["spec"], expected["spec"]):
        advice = (
            "Use the program and the chart of one version; `videojob crd | kubectl apply -f -` installs this one's."
        )
        return warning(check, "installed, but of another version than this program", advice)
    return ok(check, "installed, matches this version")


def _holds(stored: object, expected: object) -> bool:
    """Whether all of `expected` stands in `stored`, which the server has filled up; a schema must be the same."""
    if isinstance(expected, Mapping) and isinstance(stored, Mapping):
        return all(
            stored.get(name) == value if name == "openAPIV3Schema" else _holds(stored.get(name), value)
            for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(stored, list) and len(expected) == len(stored):
        return all(map(_holds, stored, expected))
    return stored == expected


def user_rights_finding(allowed: Mapping[Right, bool] | NotRead, namespace: str) -> Finding:
    """What this user may do with jobs in a namespace."""
    check = "your rights"
    if isinstance(allowed, NotRead):
        return unchecked(check, allowed.why)
    missing = [right for right, is_allowed in allowed.items() if not is_allowed]
    if not missing:
        return ok(check, f"all that the commands need in the namespace {namespace}")
    words = joined([f"{right} ({right.purpose})" for right in missing], most=len(missing))
    seen = f"in the namespace {namespace} you may not: {words}"
    advice = "The cluster's role `edit` has them, bound in that namespace (chart value rbac.aggregate)."
    return (problem if any(right.essential for right in missing) else warning)(check, seen, advice)


def controller_rights_finding(allowed: Mapping[Right, bool] | NotRead, account: str, namespace: str) -> Finding:
    """What the controller may do for jobs of a namespace."""
    check = "controller's rights"
    if isinstance(allowed, NotRead):
        return unchecked(
            check, allowed.why, "An administrator can check it: it needs the right to create access reviews."
        )
    missing = [str(right) for right, is_allowed in allowed.items() if not is_allowed]
    if not missing:
        return ok(check, f"{account} may do all that jobs in {namespace} need")
    advice = f"With scope `namespaced`, {namespace} must be in the value tenants; otherwise check rbac.create."
    return problem(check, f"{account} may not: {joined(missing, most=len(missing))} (for {namespace})", advice)


def controller_finding(deployments: Sequence[Object] | NotRead, version: str) -> Finding:
    """Whether one controller runs, and which."""
    check = "controller"
    if isinstance(deployments, NotRead):
        return unchecked(check, deployments.why, "Name its namespace with --system-namespace, if you may read it.")
    if not deployments:
        advice = f"{_INSTALL} If it is installed, name its namespace with --system-namespace."
        return problem(check, "there is no Deployment of a controller", advice)
    places = [f"{one['metadata']['namespace']}/{name_of(one)}" for one in deployments]
    if len(deployments) > 1:
        advice = "Two that serve the same namespaces overwrite each other: uninstall one, or give each its own tenants."
        return warning(check, f"there are {len(places)}: {joined(places)}", advice)
    (found,) = deployments
    status = found.get("status") or {}
    if not status.get("readyReplicas"):
        logs = f"kubectl -n {found['metadata']['namespace']} logs deployment/{name_of(found)}"
        why = "it has 0 replicas" if not found["spec"].get("replicas", 1) else "no pod of it is ready"
        return problem(check, f"{places[0]}: {why}", f"Check `{logs}` and `kubectl describe` of its pod.")
    runs = (found["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "")
    if runs and runs != version:
        seen = f"{places[0]} is ready, of version {runs}; this program is {version}"
        return warning(check, seen, "Use the same version of both.")
    return ok(check, f"{places[0]} is ready")


def lease_finding(lease: Object | NotRead | None, now_s: float) -> Finding:
    """Whether a controller leads, and is alive."""
    check = "leader"
    if isinstance(lease, NotRead):
        return unchecked(check, lease.why)
    spec = {} if lease is None else lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    advice = "Check the controller's log: it acquires the Lease as soon as it can reach the API server."
    if not holder or not renewed:
        return problem(check, "no controller holds the Lease videojob-controller", advice)
    age_s = now_s - seconds_of(str(renewed))
    length_s = float(spec.get("leaseDurationSeconds") or 30)
    if age_s > length_s:
        seen = f"{holder} has not renewed its Lease for {age_s:.0f} s, and it lasts {length_s:.0f} s"
        return problem(check, seen, f"{advice} Clocks that differ have the same effect.")
    return ok(check, f"{holder} renewed its Lease {max(0.0, age_s):.0f} s ago")
