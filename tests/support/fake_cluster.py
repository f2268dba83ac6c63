"""The Kubernetes API in memory, for tests of who uses it. It keeps what it is given and runs nothing."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from videojob.api.schema.crd import crd
from videojob.kube.kinds import VIDEOJOBS, Kind
from videojob.ports.cluster import AlreadyThere, ClusterConflict, Object, Outline

Key = tuple[str, str | None, str]
Refuse = Callable[[str, Kind, str], Exception | None]


@dataclass
class FakeCluster:
    """`ports.Cluster`.

    Attributes:
        refuse: asked before each call with (verb, kind, name); what it returns is raised.
        calls: (verb, plural, name) of each call that was let through.
        read: how many objects lists gave, by plural.
    """

    refuse: Refuse = lambda _verb, _kind, _name: None
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    stored: dict[Key, dict[str, Any]] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, kind: Kind, value: Mapping[str, Any]) -> dict[str, Any]:
        """Lays an object in, as if somebody else had made or changed it."""
        made = copy.deepcopy(dict(value))
        metadata = made["metadata"] = dict(made["metadata"])
        version = str(next(self._versions))
        metadata.setdefault("uid", f"uid-{version}")
        metadata["resourceVersion"] = version
        self.stored[kind.plural, metadata.get("namespace"), metadata["name"]] = made
        return made

    def names(self, kind: Kind) -> list[str]:
        """Of the objects of a kind."""
        return sorted(name for plural, _, name in self.stored if plural == kind.plural)

    def count(self, verb: str, kind: Kind) -> int:
        """Calls of a verb."""
        return sum(one[:2] == (verb, kind.plural) for one in self.calls)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        self._called("get", kind, name)
        return copy.deepcopy(self.stored.get((kind.plural, namespace, name)))

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", most: int | None = None
    ) -> Iterator[Object]:
        self._called("list", kind, fields or labels)
        for one in itertools.islice(self._found(kind, namespace, labels, fields), most):
            self.read[kind.plural] = self.read.get(kind.plural, 0) + 1
            yield one

    def _found(self, kind: Kind, namespace: str | None, labels: str, fields: str) -> Iterator[Object]:
        found = [
            one
            for (plural, where, _), one in self.stored.items()
            if plural == kind.plural and namespace in {None, where}
        ]
        for one in found:
            has = one["metadata"].get("labels") or {}
            if _fits(labels, has.get) and _fits(fields, partial(_at, one)):
                yield copy.deepcopy(one)

    def outlines(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Iterator[Outline]:
        self._called("outlines", kind, namespace or labels)
        columns = crd()["spec"]["versions"][0]["additionalPrinterColumns"] if kind == VIDEOJOBS else ()
        for one in self._found(kind, namespace, labels, ""):
            yield Outline(
                one["metadata"], {column["name"]: _at(one, column["jsonPath"][1:]) or None for column in columns}
            )

    def create(self, kind: Kind, value: Object) -> Object:
        metadata = value["metadata"]
        self._called("create", kind, metadata["name"])
        if (kind.plural, metadata.get("namespace"), metadata["name"]) in self.stored:
            raise AlreadyThere(metadata["name"])
        return copy.deepcopy(self.put(kind, value))

    def replace(self, kind: Kind, value: Object) -> Object:
        metadata = value["metadata"]
        self._called("replace", kind, metadata["name"])
        there = self.stored.get((kind.plural, metadata.get("namespace"), metadata["name"]))
        if there is None or there["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            raise ClusterConflict(metadata["name"])
        return copy.deepcopy(self.put(kind, value))

    def apply(self, kind: Kind, value: Object, *, manager: str) -> Object:
        metadata = value["metadata"]
        self._called("apply", kind, metadata["name"])
        there = self.stored.get((kind.plural, metadata.get("namespace"), metadata["name"]), {})
        kept = {name: one for name, one in there.get("metadata", {}).items() if name == "uid"}
        return copy.deepcopy(self.put(kind, {**there, **value, "metadata": {**kept, **metadata}}))

    def patch(
        self, kind: Kind, namespace: str | None, name: str, value: Object, *, subresource: str = ""
    ) -> Object | None:
        self._called("patch", kind, name)
        there = self.stored.get((kind.plural, namespace, name))
        if there is None:
            return None
        version = value.get("metadata", {}).get("resourceVersion")
        if version not in {None, there["metadata"]["resourceVersion"]}:
            raise ClusterConflict(name)
        return copy.deepcopy(self.put(kind, _merged(there, value)))

    def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None) -> None:
        self._called("delete", kind, name)
        there = self.stored.get((kind.plural, namespace, name))
        if there is not None and uid not in {None, there["metadata"]["uid"]}:
            raise ClusterConflict(name)
        self.stored.pop((kind.plural, namespace, name), None)

    def _called(self, verb: str, kind: Kind, name: str) -> None:
        error = self.refuse(verb, kind, name)
        if error is not None:
            raise error
        self.calls.append((verb, kind.plural, name))


def _fits(selector: str, value_of: Callable[[str], Any]) -> bool:
    """Whether "a=1,b!=2" holds."""
    for one in selector.split(","):
        name, _, value = one.partition("=")
        if one and (value_of(name.removesuffix("!")) == value) == name.endswith("!"):
            return False
    return True


def _at(value: Mapping[str, Any], path: str) -> Any:
    for part in path.split("."):
        value = value.get(part, {})
    return value


def _merged(there: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(there)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = _merged(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged
