"""The kinds of Kubernetes objects that this project reads or writes, and where the API server keeps them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.api.schema.crd import PLURAL
from videojob.api.videojob import API_VERSION


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Attributes:
        api: group and version, as in "batch/v1". plural: its name in addresses.
        namespaced: whether its objects lie in namespaces.
    """

    api: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Where its objects are, in one namespace or in all, or where one is."""
        root = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace is not None else ""
        return f"{root}{place}/{self.plural}" + ("" if name is None else f"/{name}")


VIDEOJOBS = Kind(API_VERSION, PLURAL)
JOBS = Kind("batch/v1", "jobs")
PODS = Kind("v1", "pods")
CONFIG_MAPS = Kind("v1", "configmaps")
EVENTS = Kind("v1", "events")
DEPLOYMENTS = Kind("apps/v1", "deployments")
SERVICES = Kind("v1", "services")
NAMESPACES = Kind("v1", "namespaces", namespaced=False)
NODES = Kind("v1", "nodes", namespaced=False)
NODE_POOLS = Kind("karpenter.sh/v1", "nodepools", namespaced=False)
LEASES = Kind("coordination.k8s.io/v1", "leases")
ROLES = Kind("rbac.authorization.k8s.io/v1", "roles")
