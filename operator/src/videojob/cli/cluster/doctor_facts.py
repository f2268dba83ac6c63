"""Reads what `videojob doctor` judges: the cluster by one read after another, AWS with the user's own credentials.

A read that is refused is a fact like any other. Only an API server that does not answer ends the reading.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from videojob.adapters.aws import checks as aws_checks
from videojob.adapters.aws.prices import AwsPrices
from videojob.adapters.clock import SystemClock
from videojob.adapters.files import package_data
from videojob.controller.config import ConfigModel, installation_of, price_settings_of
from videojob.errors import ClusterRefused, ClusterUnavailable, PricesUnavailable, SetupError
from videojob.kube.doctor.aws import ExpiryFacts, GatewayFacts, Missing, TableFacts
from videojob.kube.doctor.findings import NotRead, Object
from videojob.kube.doctor.installation import Right
from videojob.kube.doctor.nodes import Flavour, NodeFacts, class_of, gpu_families
from videojob.kube.doctor.surroundings import MonitoringFacts, QueueFacts
from videojob.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, LEASES, NODE_POOLS, NODES, VIDEOJOBS, Kind
from videojob.kube.names import APP, COMPONENT, MANAGER
from videojob.planning.cost.karpenter_metrics import parse_karpenter
from videojob.planning.cost.offers import on_demand_of
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.readings import PriceReading
from videojob.planning.cost.region_factors import HOME
from videojob.planning.installation import Installation, S3Source

if TYPE_CHECKING:
    from videojob.adapters.kubernetes.api import KubernetesApi

T = TypeVar("T")
P = ParamSpec("P")
_TRIES = 4
_PAUSE_S = 1.0
_CRDS = Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
_NAMESPACES = Kind("v1", "namespaces", namespaced=False)
_ACCOUNTS = Kind("v1", "serviceaccounts")
_DAEMON_SETS = Kind("apps/v1", "daemonsets")
_QUEUES = Kind("kueue.x-k8s.io/v1beta1", "localqueues")
_PROMETHEUSES = Kind("monitoring.coreos.com/v1", "prometheuses")
_MONITORS = {
    "ServiceMonitor": Kind("monitoring.coreos.com/v1", "servicemonitors"),
    "PodMonitor": Kind("monitoring.coreos.com/v1", "podmonitors"),
}
_OWN_REVIEWS = Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)
_REVIEWS = Kind("authorization.k8s.io/v1", "subjectaccessreviews", namespaced=False)
_CLASSES = {
    "EC2NodeClass": "ec2nodeclasses",
    "NodeClass": "nodeclasses",
    "KWOKNodeClass": "kwoknodeclasses",
}
_QUOTAS = {
    "G and VT": {"on-demand": "L-DB2E81BA", "spot": "L-3819A6DF"},
    "P": {"on-demand": "L-417A185B", "spot": "L-7212CCBC"},
}
_ENDPOINTS = {"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "s3": "AWS_ENDPOINT_URL_S3"}


@dataclass(frozen=True, slots=True)
class Release:
    """Where a release is, and what it was configured with; `installation` None when that cannot be read.

    Attributes:
        account: of the controller.
        no_installation: why there is none.
        prices: what it says of prices.
    """

    namespace: str
    account: str
    installation: Installation | None
    no_installation: str = ""
    prices: PriceSettings = field(default_factory=PriceSettings)

    def endpoint(self, service: str) -> str:
        """Where pods look for an AWS service instead of AWS; "" for AWS itself."""
        return "" if self.installation is None else self.installation.worker.env.get(_ENDPOINTS[service], "")


class FactReader:
    """Reads of one cluster.

    Args:
        cluster: the connection.
        system: namespace of the installation; None looks everywhere.
    """

    def __init__(self, cluster: KubernetesApi, system: str | None) -> None:
        self._cluster = cluster
        self._system = system

    def version(self) -> Mapping[str, str]:
        """What the API server says of itself. Raises ClusterUnavailable and ClusterRefused."""
        found = json.loads(self._cluster.text("/version"))
        return {str(name): str(value) for name, value in found.items()}

    def crd(self, name: str) -> Object | NotRead | None:
        """A CustomResourceDefinition."""
        return self._get(_CRDS, None, name)

    def controllers(self) -> list[Object] | NotRead:
        """Deployments of controllers."""
        return self._list(DEPLOYMENTS, self._system, f"{APP}={MANAGER},{COMPONENT}=controller")

    def release(self, controller: Object) -> Release:
        """The release that a controller belongs to."""
        metadata, pod = controller["metadata"], controller["spec"]["template"]["spec"]
        namespace = str(metadata["namespace"])
        account = str(pod.get("serviceAccountName", "default"))
        volumes = (one.get("configMap") for one in pod.get("volumes") or ())
        name = next((str(one["name"]) for one in volumes if one), "")
        found = self._get(CONFIG_MAPS, namespace, name)
        if isinstance(found, NotRead):
            return Release(namespace, account, None, found.why)
        text = "" if found is None else (found.get("data") or {}).get("config.yaml", "")
        try:
            config = ConfigModel.model_validate(yaml.safe_load(text), by_alias=True, by_name=False)
            return Release(namespace, account, installation_of(config), prices=price_settings_of(config))
        except (yaml.YAMLError, ValidationError, SetupError) as error:
            why = str(error).partition("\n")[0]
            why = f"this version cannot read the configuration {namespace}/{name}: {why}"
            return Release(namespace, account, None, why)

    def lease(self, namespace: str) -> Object | NotRead | None:
        """The Lease by which one controller leads."""
        return self._get(LEASES, namespace, "videojob-controller")

    def own_rights(self, rights: Iterable[Right], namespace: str) -> dict[Right, bool] | NotRead:
        """What this user may do."""
        return self._allowed(_OWN_REVIEWS, rights, {"tenant": namespace}, {})

    def rights_of(
        self, account: str, release: str, rights: Iterable[Right], namespace: str
    ) -> dict[Right, bool] | NotRead:
        """What a service account of the release's namespace may do."""
        user = {"user": f"system:serviceaccount:{release}:{account}"}
        return self._allowed(_REVIEWS, rights, {"tenant": namespace, "release": release}, user)

    def _allowed(
        self, kind: Kind, rights: Iterable[Right], places: Mapping[str, str], user: Mapping[str, str]
    ) -> dict[Right, bool] | NotRead:
        found: dict[Right, bool] = {}
        for right in rights:
            attributes = {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                "subresource": right.subresource,
                "namespace": places.get(right.where, ""),
                "name": right.name,
            }
            review = {"metadata": {}, "spec": {"resourceAttributes": attributes, **user}}
            try:
                found[right] = bool(_patiently(self._cluster.create, kind, review)["status"]["allowed"])
            except ClusterRefused as error:
                return _not_read(error)
        return found

    def namespace(self, name: str) -> Object | NotRead | None:
        """A namespace."""
        return self._get(_NAMESPACES, None, name)

    def account(self, namespace: str, name: str) -> Object | NotRead | None:
        """A service account."""
        return self._get(_ACCOUNTS, namespace, name)

    def nodes(self, flavour: Flavour, *, needs_gpu: bool) -> NodeFacts:
        """Everything about nodes and what makes them."""
        made = flavour != "none"
        pools = self._list(NODE_POOLS) if made else []
        refs = [] if isinstance(pools, NotRead) else sorted({class_of(one) for one in pools})
        return NodeFacts(
            flavour=flavour,
            needs_gpu=needs_gpu,
            pools=pools,
            classes={(kind, name): self._node_class(group, kind, name) for group, kind, name in refs},
            karpenter=self._list(DEPLOYMENTS, None, f"{APP}=karpenter") if flavour == "karpenter" else [],
            nodes=self._list(NODES),
            daemon_sets=self._list(_DAEMON_SETS) if needs_gpu else [],
        )

    def _node_class(self, group: str, kind: str, name: str) -> Object | NotRead | None:
        plural = _CLASSES.get(kind)
        if plural is None:
            return NotRead(f"{kind} of {group} is not known to this program")
        versions = ("v1", "v1alpha1") if kind == "KWOKNodeClass" else ("v1",)
        for version in versions:
            found = self._get(Kind(f"{group}/{version}", plural, namespaced=False), None, name)
            if found is not None:
                return found
        crd = self._get(_CRDS, None, f"{plural}.{group}")
        return NotRead(f"the API server knows no {kind}", missing=True) if crd is None else None

    def karpenter_prices(self, settings: PriceSettings) -> PriceReading | NotRead | str:
        """Karpenter's prices, read by way of the API server; a text says why they are none."""
        address = urlsplit(settings.metrics_url)
        name, *rest = (address.hostname or "").split(".")
        if rest[1:2] != ["svc"]:
            return NotRead(f"only the cluster reaches {settings.metrics_url}")
        port = address.port or {"https": 443}.get(address.scheme, 80)
        service = f"{'https:' if address.scheme == 'https' else ''}{name}:{port}"
        try:
            text = self._cluster.text(f"/api/v1/namespaces/{rest[0]}/services/{service}/proxy{address.path}")
            return parse_karpenter(text, settings.region or HOME, on_demand_of(package_data.offers(HOME)))
        except PricesUnavailable as error:
            return error.message
        except ClusterUnavailable as error:
            return f"no pod behind {settings.metrics_url} answers: {error.message}"
        except ClusterRefused as error:
            return NotRead(error.message)

    def queues(self, namespace: str) -> QueueFacts:
        """Jobs that name queues, and the queues."""
        return QueueFacts(self._list(VIDEOJOBS, namespace), self._list(_QUEUES, namespace))

    def monitoring(self, release: str) -> MonitoringFacts:
        """What of the Prometheus operator is there for a release."""
        monitors = {kind: self._list(one, release, f"{APP}={MANAGER}") for kind, one in _MONITORS.items()}
        return MonitoringFacts(self._list(_PROMETHEUSES), monitors, self.namespace(release))

    def _get(self, kind: Kind, namespace: str | None, name: str) -> Object | NotRead | None:
        try:
            return _patiently(self._cluster.get, kind, namespace, name)
        except ClusterRefused as error:
            return _not_read(error)

    def _list(self, kind: Kind, namespace: str | None = None, labels: str = "") -> list[Object] | NotRead:
        try:
            return _patiently(lambda: list(self._cluster.list(kind, namespace, labels=labels)))
        except ClusterRefused as error:
            return _not_read(error)


def _patiently(ask: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """An answer of a server that answered before; for kinds that were just installed it asks for a moment."""
    again = Retrying(
        stop=stop_after_attempt(_TRIES),
        wait=wait_fixed(_PAUSE_S),
        retry=retry_if_exception_type(ClusterUnavailable),
        reraise=True,
    )
    return again(ask, *arguments, **named)


def _not_read(error: ClusterRefused) -> NotRead:
    """A list of a kind that the server does not know is refused with 404."""
    missing = ": 404 " in error.message
    return NotRead("the API server does not know this kind" if missing else error.message, missing)


def table_facts(installation: Release, table: str, region: str | None) -> TableFacts | Missing | NotRead:
    """The results table."""
    return _of_aws(installation, "dynamodb", lambda: TableFacts(*aws_checks.table_state(table, region)))


def expiry_facts(installation: Release, table: str, region: str | None) -> ExpiryFacts | Missing | NotRead:
    """By what a table deletes items."""
    return _of_aws(installation, "dynamodb", lambda: ExpiryFacts(*aws_checks.time_to_live(table, region)))


def model_facts(installation: Release, source: S3Source) -> bool | Missing | NotRead:
    """Whether anything lies in a model's folder."""
    bucket, owner = source.bucket, source.expected_bucket_owner
    region = source.region or (None if installation.installation is None else installation.installation.results.region)
    return _of_aws(installation, "s3", lambda: aws_checks.has_objects(bucket, source.prefix, region, owner))


def gateway_facts(nodes: NodeFacts, region: str | None) -> GatewayFacts | Missing | NotRead | None:
    """How the nodes' network reaches S3 and DynamoDB; None where no node is an instance of EC2."""
    found = [] if isinstance(nodes.nodes, NotRead) else nodes.nodes
    providers = (str((one.get("spec") or {}).get("providerID", "")) for one in found)
    provider = next((one for one in providers if one.startswith("aws:///")), None)
    if provider is None:
        return None
    try:
        # As in aws:///us-east-1a/i-0123456789abcdef0: the region is the zone's name without its letter.
        zone, instance = provider.removeprefix("aws:///").split("/")[:2]
        return GatewayFacts(*aws_checks.gateways(instance, region or zone[:-1]))
    except ValueError:
        return NotRead(f"a node's provider is not an instance: {provider}")
    except aws_checks.Absent:
        return Missing()
    except aws_checks.Refused as error:
        return NotRead(str(error))


def quota_facts(nodes: NodeFacts, region: str | None) -> tuple[str, dict[str, float | NotRead]]:
    """Which instances, and their quotas by how they are paid for."""
    families = frozenset() if isinstance(nodes.pools, NotRead) else gpu_families(nodes.pools)
    instances = "P" if families and all(one.startswith("p") for one in families) else "G and VT"
    found: dict[str, float | NotRead] = {}
    for name, code in _QUOTAS[instances].items():
        try:
            found[name] = aws_checks.quota("ec2", code, region)
        except (aws_checks.Refused, aws_checks.Absent) as error:
            found[name] = NotRead(str(error))
    return instances, found


def aws_prices(settings: PriceSettings) -> PriceReading | NotRead | str:
    """AWS' prices with this user's credentials."""
    try:
        region = settings.region or HOME
        return AwsPrices(region, package_data.offers(region).types).offers(SystemClock().now_s())
    except PricesUnavailable as error:
        return error.message if not error.retryable else NotRead(error.message)


def _of_aws(installation: Release, service: str, ask: Callable[[], T]) -> T | Missing | NotRead:
    """An answer of AWS; nothing is asked where pods use an endpoint that only the cluster knows."""
    endpoint = installation.endpoint(service)
    if endpoint and _ENDPOINTS[service] not in os.environ:
        return NotRead(
            f"pods use {endpoint}; set {_ENDPOINTS[service]} to an address that you can reach, to have it checked"
        )
    try:
        return ask()
    except aws_checks.Refused as error:
        return NotRead(str(error))
    except aws_checks.Absent:
        return Missing()
