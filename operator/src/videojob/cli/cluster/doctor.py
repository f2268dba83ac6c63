"""`videojob doctor`: checks a cluster, and says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import videojob
from videojob.adapters.clock import SystemClock
from videojob.api.schema.crd import crd
from videojob.cli.cluster.connection import Access, connected
from videojob.cli.cluster.doctor_facts import (
    FactReader,
    Release,
    aws_prices,
    expiry_facts,
    gateway_facts,
    model_facts,
    quota_facts,
    table_facts,
)
from videojob.cli.display import plural
from videojob.cli.exit_codes import ExitCode
from videojob.cli.options import with_options
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.controller.price_sources import static_table
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.doctor.aws import (
    Missing,
    bucket_finding,
    expiry_finding,
    gateway_findings,
    quota_findings,
    table_finding,
)
from videojob.kube.doctor.bottlerocket import ami_findings
from videojob.kube.doctor.findings import Finding, NotRead, problem, unchecked
from videojob.kube.doctor.images import image_findings
from videojob.kube.doctor.installation import (
    CONTROLLER_RIGHTS,
    USER_RIGHTS,
    api_finding,
    controller_finding,
    controller_rights_finding,
    crd_finding,
    kubernetes_version,
    lease_finding,
    user_rights_finding,
)
from videojob.kube.doctor.nodes import NodeFacts, capacity_types, gpu_model_findings, node_findings
from videojob.kube.doctor.prices import price_findings
from videojob.kube.doctor.surroundings import (
    Account,
    identity_findings,
    monitoring_findings,
    namespace_finding,
    queue_finding,
)
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.installation import Installation, S3Source

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red", "not checked": "dim"}
_LEVEL_CHARS = max(map(len, _STYLES))
_CHECK_CHARS = 22


@with_options
def doctor(
    *,
    access: Access,
    system_namespace: Annotated[
        str | None,
        typer.Option("--system-namespace", help="Namespace of the installation.", show_default="searched for"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end, nothing else.")] = False,
) -> None:
    """Check a cluster: installation, rights, nodes, identity, table, models, quota, monitoring.

    AWS is queried with your own credentials. Exits with 0 when nothing is wrong, with 1 when there is a problem.
    """
    shown = console()
    found: list[Finding] = []
    with connected(access) as there:
        for finding in checks(FactReader(there.api, system_namespace), there.api.address, there.namespace):
            found.append(finding)
            if not as_json:
                show(shown, finding)
    if as_json:
        write_json(document(found))
    else:
        tell(shown, f"\n{summary_text(found)}")
    raise typer.Exit(ExitCode.FAILED if _count(found, "problem") else ExitCode.OK)


def checks(reader: FactReader, address: str, namespace: str) -> Iterator[Finding]:
    """Every check, as soon as it is done; none more when the API server does not answer."""
    try:
        version = reader.version()
    except ClusterUnavailable as error:
        yield api_finding(address, NotRead(error.message))
        return
    except ClusterRefused as error:
        yield api_finding(address, NotRead(f"it rejects the request: {error.message}"))
        return
    yield api_finding(address, version)
    try:
        yield from _cluster_checks(reader, namespace, kubernetes_version(version))
    except ClusterUnavailable as error:
        yield problem("API server, later", f"it no longer answers: {error.message}", "Run it again.")


def _cluster_checks(reader: FactReader, namespace: str, version: tuple[int, int] | None) -> Iterator[Finding]:
    expected = crd()
    yield crd_finding(reader.crd(expected["metadata"]["name"]), expected)
    yield user_rights_finding(reader.own_rights(USER_RIGHTS, namespace), namespace)
    controllers = reader.controllers()
    yield controller_finding(controllers, videojob.__version__)
    yield namespace_finding(namespace, reader.namespace(namespace))
    queue = queue_finding(reader.queues(namespace))
    if queue is not None:
        yield queue
    if isinstance(controllers, NotRead) or not controllers:
        yield unchecked("installation", "no controller was found", "Nodes, identity and AWS are not checked.")
        return
    yield from _release_checks(reader, reader.release(controllers[0]), namespace, version)


def _release_checks(
    reader: FactReader, made: Release, namespace: str, version: tuple[int, int] | None
) -> Iterator[Finding]:
    yield lease_finding(reader.lease(made.namespace), SystemClock().now_s())
    rights = reader.rights_of(made.account, made.namespace, CONTROLLER_RIGHTS, namespace)
    yield controller_rights_finding(rights, f"{made.namespace}/{made.account}", namespace)
    installation = made.installation
    if installation is None:
        advice = f"Grant get on configmaps in {made.namespace}: nodes, identity and AWS are not checked without it."
        yield unchecked("configuration", made.no_installation, advice)
    else:
        nodes = reader.nodes(installation.karpenter, needs_gpu=_needs_gpu(installation))
        yield from node_findings(nodes)
        yield from ami_findings(nodes.classes, version)
        gpu = installation.accelerators.get("gpu")
        yield from image_findings(installation)
        yield from gpu_model_findings(nodes, () if gpu is None else gpu.gpu_models)
        yield from _identity_checks(reader, made, installation, namespace)
        yield from _aws_checks(made, installation, nodes)
        yield from _price_checks(reader, made.prices)
    yield from monitoring_findings(reader.monitoring(made.namespace))


def _needs_gpu(installation: Installation) -> bool:
    return "gpu" in installation.accelerators and any("gpu" in model.variants for model in installation.models.values())


def _identity_checks(
    reader: FactReader, made: Release, installation: Installation, namespace: str
) -> Iterator[Finding]:
    stands_in = bool(made.endpoint("dynamodb") and made.endpoint("s3"))
    accounts = (
        ("controller", made.namespace, made.account),
        ("servers", made.namespace, installation.server_service_account),
        ("workers", namespace, installation.worker.service_account),
    )
    read = [Account(who, f"{place}/{name}", reader.account(place, name)) for who, place, name in accounts]
    yield from identity_findings(read, stands_in=stands_in)


def _aws_checks(made: Release, installation: Installation, nodes: NodeFacts) -> Iterator[Finding]:
    results = installation.results
    table = table_facts(made, results.table, results.region)
    yield table_finding(results.table, table, is_made=results.create_table)
    if results.retention_s is not None:
        for name in (results.table, *results.allowed_tables):
            expiry = expiry_facts(made, name, results.region)
            if not isinstance(expiry, Missing):
                yield expiry_finding(name, expiry)
    if not installation.models:
        yield Finding(
            "models", "problem", "the installation has no model", "Set the chart's value models: docs/guides/models.md."
        )
    for model in installation.models.values():
        if isinstance(model.source, S3Source):
            address = f"s3://{model.source.bucket}/{model.source.prefix}"
            yield bucket_finding(address, model_facts(made, model.source))
    network = gateway_facts(nodes, results.region)
    if network is not None:
        yield from gateway_findings(network)
    if nodes.needs_gpu and nodes.flavour != "none":
        instances, quotas = quota_facts(nodes, results.region)
        used = frozenset(quotas) if isinstance(nodes.pools, NotRead) else capacity_types(nodes.pools)
        yield from quota_findings(quotas, used, instances)


def _price_checks(reader: FactReader, settings: PriceSettings) -> Iterator[Finding]:
    asked = {
        PriceSource.KARPENTER: lambda: reader.karpenter_prices(settings),
        PriceSource.AWS: lambda: aws_prices(settings),
    }
    readings = {source: asked[source]() for source in settings.sources}
    yield from price_findings(settings, static_table(settings.region), readings)


def show(where: Console, finding: Finding) -> None:
    """One check: its outcome, what was seen, and below what to do."""
    head = cell(f"{finding.level:<{_LEVEL_CHARS}}", _STYLES[finding.level])
    where.print(
        Text.assemble(head, "  ", cell(f"{finding.check:<{_CHECK_CHARS}}", "bold"), " ", cell(finding.seen)),
        soft_wrap=True,
    )
    if finding.advice:
        where.print(cell(f"{'':<{_LEVEL_CHARS}}  -> {finding.advice}"), soft_wrap=True)


def summary_text(found: list[Finding]) -> str:
    """The counts in one line."""
    counted: list[tuple[int, str]] = [
        (_count(found, "problem"), "problem"),
        (_count(found, "warning"), "warning"),
    ]
    parts = [f"{count} {plural(count, word)}" for count, word in counted]
    return f"{', '.join(parts)}, {_count(found, 'ok')} ok, {_count(found, 'not checked')} not checked"


def document(found: list[Finding]) -> dict[str, Any]:
    """The same for a script. Fields are only ever added."""
    return {"problems": _count(found, "problem"), "checks": [one.as_dict() for one in found]}


def _count(found: list[Finding], level: str) -> int:
    return sum(one.level == level for one in found)
