"""Names, labels and annotations of what the controller makes. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from videojob.api.metadata import Metadata
from videojob.api.videojob import API_VERSION, GROUP, KIND
from videojob.planning.state.placement import ServerKey

APP = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "videojob"
JOB_NAME = f"{GROUP}/job-name"
JOB_UID = f"{GROUP}/job-uid"
ATTEMPT = f"{GROUP}/attempt"
SERVER = f"{GROUP}/server"
MODEL = f"{GROUP}/model"
ACCELERATOR = f"{GROUP}/accelerator"
EPOCH = f"{GROUP}/epoch"
BATCH = f"{GROUP}/batch"
SERVER_KEY = f"{GROUP}/server-key"
PLACEMENT_REASON = f"{GROUP}/placement-reason"
REPLICA_SPEED = f"{GROUP}/replica-frames-per-second"
OLD_CANARY = f"{GROUP}/canary"
"""Label of a VideoJob that older releases made for themselves; it means nothing any more."""
SPEEDS = "videojob-speeds"
"""The ConfigMap with the catalogue of speeds, in the controller's namespace."""
SPEEDS_KEY = "speeds.json"
LEASE = "videojob-controller"
"""The Lease that the controller renews while it lives, in its own namespace."""
IDLE_SINCE = f"{GROUP}/idle-since"
SCOPE = f"{GROUP}/scope"
"""Annotation of a claim: name of the Lease of its holder's scope."""
CONTAINER = "videojob"
SERVER_CONTAINER = "triton"

_EVERYWHERE = "default"
"""The one namespace that every cluster has and no chart excludes: what holds for all namespaces is agreed on there."""
_NAME_CHARACTERS = 36
_MODEL_CHARACTERS = 28
_GPU = r"[a-z0-9]{1,16}"
_HASH_DIGITS = 8
_LABEL_CHARACTERS = 63
_MOST_SERVERS = 1000  # whose names are remembered


def claim_name(controller_name: str) -> str:
    """Name of the Lease that says which installation of that controllerName serves a namespace; the chart knows it."""
    return f"videojob-claim-{controller_name}"


def scope_name(controller_name: str, namespaces: Collection[str], own: str) -> str:
    """Name of the Lease that says which installation of that controllerName serves a scope; the chart knows it.

    Args:
        controller_name: whose VideoJobs are served.
        namespaces: that are served; empty for all.
        own: the installation's, which the chart adds for its test and which makes no other scope.
    """
    name = f"videojob-scope-{controller_name}"
    return f"{name}.{_hash(','.join(scope_places(namespaces, own)))}" if namespaces else name


def scope_places(namespaces: Collection[str], own: str) -> tuple[str, ...]:
    """The namespaces in which that Lease may lie, in the order in which they are asked; see `scope_name`."""
    if not namespaces:
        return (_EVERYWHERE,)
    return tuple(sorted({*namespaces} - {own})) or (own,)


def results_uid(metadata: Metadata) -> str:
    """A job's identity in the results table. It starts with the namespace, for rules about who may read what."""
    return f"{metadata.namespace}.{metadata.uid}"


def child_name(metadata: Metadata, part: str) -> str:
    """Name of a job's object, as in "entrance-1c9d0f3a-work-1".

    Short enough for an Indexed Job with 100,000 indexes, whose pods have it in their host names. The hash is of the
    job's uid: a job that is deleted and made again under its name never meets its predecessor's objects.
    """
    return f"{metadata.name[:_NAME_CHARACTERS].rstrip('-')}-{_hash(str(metadata.uid))}-{part}"


def job_labels(metadata: Metadata, component: str) -> dict[str, str]:
    """Labels of a job's objects."""
    return {
        APP: MANAGER,
        MANAGED_BY: MANAGER,
        COMPONENT: component,
        JOB_NAME: metadata.name,
        JOB_UID: str(metadata.uid),
    }


def owner_reference(metadata: Metadata) -> dict[str, Any]:
    """Ties an object's life to its VideoJob's."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


@lru_cache(_MOST_SERVERS)
def server_name(key: ServerKey) -> str:
    """Name of a server's Deployment and Service; different keys have different names."""
    plain = re.sub(r"[^a-z0-9]+", "-", key.model.lower()).strip("-")[:_MODEL_CHARACTERS].rstrip("-")
    is_gpu_exact = not key.gpu or (key.gpu not in {"cpu", "gpu"} and re.fullmatch(_GPU, key.gpu) is not None)
    name = f"triton-{plain}-{(is_gpu_exact and key.gpu) or key.accelerator}"
    is_exact = plain == key.model.replace("_", "-") and "-" not in key.model and is_gpu_exact
    is_plain = is_exact and not key.capacity_types and not key.instance_types and key.version == 1
    return name if is_plain else f"{name}-{_hash(server_key_text(key))}"


def server_labels(key: ServerKey) -> dict[str, str]:
    """Labels of a server's objects; a Deployment selects by those of `server_selector`."""
    labels = {MODEL: _label_value(key.model), ACCELERATOR: key.accelerator}
    return {APP: MANAGER, MANAGED_BY: MANAGER, **labels, **server_selector(key)}


def server_selector(key: ServerKey) -> dict[str, str]:
    """What tells a server's pods from all others."""
    return {COMPONENT: "server", SERVER: server_name(key)}


def server_key_text(key: ServerKey) -> str:
    """A server's key as its Deployment carries it."""
    values = asdict(key)
    if not key.gpu:
        # As keys were before they had it: their servers keep their names.
        del values["gpu"]
    return json.dumps(values, sort_keys=True)


@lru_cache(_MOST_SERVERS)
def server_key_from_text(text: str) -> ServerKey:
    """The inverse of `server_key_text`; raises KeyError, ValueError or TypeError on anything else."""
    values = json.loads(text)
    values["capacity_types"] = tuple(values["capacity_types"])
    values["instance_types"] = tuple(values["instance_types"])
    key = ServerKey(**values)
    words = (key.model, key.accelerator, key.gpu, *key.capacity_types, *key.instance_types)
    if not all(isinstance(word, str) for word in words) or type(key.version) is not int:
        raise TypeError(f"no server's key: {text}")
    return key


def model_label(name: str) -> str:
    """Value of the label `MODEL` of a model's servers; others may have the same."""
    return _label_value(name)


def _label_value(text: str) -> str:
    """Text as the value of a label: for people to select by; the whole text stands elsewhere."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:_LABEL_CHARACTERS].strip("-_.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
