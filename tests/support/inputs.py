"""Inputs of manifests, and what brings them here in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from videojob.adapters.inputs.addresses import AddressPolicy
from videojob.adapters.inputs.http_files import HttpFiles
from videojob.adapters.inputs.transfer import Progress, TransferPolicy, no_progress
from videojob.api.spec import Input
from videojob.ports.inputs import FetchedInput
from videojob.worker.steps.inputs import FailedInput, InputResolver, distinct, once


def inputs(*items: Mapping[str, object]) -> list[Input]:
    return [Input.model_validate(item) for item in items]


def loopback_http(progress: Progress = no_progress) -> HttpFiles:
    """Takes every name for a server on loopback."""
    policy = TransferPolicy(attempts=1)
    return HttpFiles(policy, AddressPolicy(allow_private=True), lambda _host, _port: ["127.0.0.1"], progress)


def fetched(resolver: InputResolver, items: Sequence[Input]) -> list[FetchedInput | FailedInput]:
    """Each video of each input, asked for in one round."""
    return list(distinct(map(resolver.fetch, once(resolver.expand(items)))))
