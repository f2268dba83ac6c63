"""Whether a pinned Bottlerocket release has images for the cluster's Kubernetes version. PURE.

Karpenter resolves the alias of an EC2NodeClass by the cluster's version. A release without an image for it leaves the
class, and so its NodePools, not ready: no node can be provisioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from videojob.kube.doctor.findings import Finding, NotRead, Object, ok, problem, unchecked, warning

Release = tuple[int, ...]
FIRST_RELEASE: Mapping[tuple[int, int], Release] = {
    (1, 31): (1, 22, 0),
    (1, 32): (1, 30, 0),
    (1, 33): (1, 39, 0),
    (1, 34): (1, 47, 0),
    (1, 35): (1, 53, 0),
    (1, 36): (1, 61, 0),
    (1, 37): (1, 66, 0),
}
"""The first release with the variants aws-k8s-VERSION and aws-k8s-VERSION-nvidia. Source: "Release Highlights" of the
releases of github.com/bottlerocket-os/bottlerocket, read in November 2026."""
_WITHOUT_OLDER: Release = (1, 64, 0)
"""The release that removed 1.30, the last version before the table's (pull request 4880 there)."""
_NEWEST = max(FIRST_RELEASE)
_OLDEST = min(FIRST_RELEASE)
_ADVICE = "Set the chart's value karpenter.amiAlias to a release that has it: bottlerocket@{release} or newer."


def ami_findings(
    classes: Mapping[tuple[str, str], Object | NotRead | None], version: tuple[int, int] | None
) -> Iterator[Finding]:
    """The aliases that EC2NodeClasses pin, each once.

    Args:
        classes: node classes by (kind, name), as `nodes.NodeFacts` has them.
        version: of the cluster's Kubernetes, as in (1, 36); None when it is unknown.
    """
    aliases: set[str] = set()
    for (kind, _), found in sorted(classes.items()):
        if kind == "EC2NodeClass" and isinstance(found, Mapping):
            terms = (found.get("spec") or {}).get("amiSelectorTerms") or ()
            aliases.update(str(one["alias"]) for one in terms if one.get("alias"))
    for alias in sorted(aliases):
        yield _alias(alias, version)


def _alias(alias: str, version: tuple[int, int] | None) -> Finding:
    check = f"AMI {alias}"
    family, _, release_text = alias.partition("@")
    release = _release(release_text)
    if family == "bottlerocket" and release_text == "latest":
        return warning(check, "nodes follow the newest release", "Pin a release: nodes then change when you change it.")
    if family != "bottlerocket" or release is None:
        return unchecked(check, "this program knows releases of Bottlerocket alone, as in bottlerocket@1.66.0")
    if version is None:
        return unchecked(check, "the API server does not report its Kubernetes version", "Compare the two by hand.")
    return _pair(check, release, version)


def _pair(check: str, release: Release, version: tuple[int, int]) -> Finding:
    """A release and a cluster's version, both known."""
    cluster = f"the cluster's Kubernetes {_text(version)}"
    first = FIRST_RELEASE.get(version)
    if first is not None and release >= first:
        return ok(check, f"it has images for {cluster}")
    if first is not None:
        seen = f"it has no image for {cluster}: the first release with one is {_text(first)}"
        return problem(check, seen, _ADVICE.format(release=_text(first)))
    if version < _OLDEST and release >= _WITHOUT_OLDER:
        seen = f"it has no image for {cluster}, which {_text(_WITHOUT_OLDER)} removed"
        return problem(check, seen, f"Upgrade the cluster, to {_text(_OLDEST)} at least.")
    known = f"{_text(_OLDEST)} to {_text(_NEWEST)}"
    seen = f"this program knows releases for Kubernetes {known}, and the cluster has {_text(version)}"
    return unchecked(check, seen, "Look it up in Bottlerocket's release notes.")


def _release(text: str) -> Release | None:
    parts = text.removeprefix("v").split(".")
    return tuple(map(int, parts)) if len(parts) == len(_WITHOUT_OLDER) and all(map(str.isdigit, parts)) else None


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
