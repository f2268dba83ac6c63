"""The chart rendered by the real helm, and checked by the real kubeconform and kube-apiserver."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.apiserver import ApiServer

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "videojob"
NAMESPACE = "videojob-system"
KUBERNETES = "1.34.4"
TIMEOUT_S = 120
BUILD_TIMEOUT_S = 3600
DIGEST = "sha256:" + "0123456789abcdef" * 4
POD_KINDS = frozenset({"Deployment", "Pod", "Job", "CronJob", "DaemonSet", "StatefulSet"})

Values = Mapping[str, Any]
Object = dict[str, Any]


class HelmRefused(Exception):
    """Helm did not render; the message is what it said."""


@functools.cache
def tool(name: str) -> Path:
    """A program of scripts/kube-tools, built if need be."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-tools", name],
        stdout=subprocess.PIPE,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1]) / name


@functools.cache
def crd_folder() -> Path:
    """The CRDs of Karpenter and the Prometheus operator."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-crds"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1])


def helm(*arguments: str | Path, values: Values | None = None, env: Mapping[str, str] | None = None) -> str:
    """What helm prints. Raises HelmRefused when it fails.

    Args:
        arguments: of its command line; with `values`, a flag that takes them is added.
        values: for the chart.
        env: more environment, as HELM_* and KUBECONFIG.
    """
    done = subprocess.run(
        [tool("helm"), *arguments, *([] if values is None else ["--values=-"])],
        input=None if values is None else json.dumps(values),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | dict(env or {}),
    )
    if done.returncode != 0:
        raise HelmRefused(done.stderr)
    return done.stdout


def render(values: Values | None = None, *, release: str = "videojob", files: Iterable[str] = ()) -> list[Object]:
    """The chart's objects with these values, after those of `files` in the chart's folder."""
    chosen = [f"--values={CHART / name}" for name in files]
    text = helm(
        "template",
        release,
        CHART,
        f"--namespace={NAMESPACE}",
        f"--kube-version={KUBERNETES}",
        *chosen,
        values=values or {},
    )
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    """Those of the kinds."""
    return [item for item in objects if item["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one object."""
    (found,) = [item for item in of_kind(objects, kind) if item["metadata"]["name"] == name]
    return found


def pods(objects: Iterable[Object]) -> list[tuple[str, Object]]:
    """(name of the object, its pod) for each that makes pods."""
    found = []
    for item in of_kind(objects, *POD_KINDS):
        if item["kind"] == "CronJob":
            item = {"metadata": item["metadata"], **item["spec"]["jobTemplate"], "kind": "Job"}  # noqa: PLW2901
        template = item if item["kind"] == "Pod" else item["spec"]["template"]
        metadata = {"labels": template["metadata"].get("labels", {})}
        found.append((item["metadata"]["name"], {"metadata": metadata, "spec": template["spec"]}))
    return found


def config_text(objects: Iterable[Object]) -> str:
    """The controller's configuration file."""
    text: str = named(objects, "ConfigMap", "videojob-config")["data"]["config.yaml"]
    return text


@dataclass(frozen=True, slots=True)
class DryRun:
    """Asks a kube-apiserver what it would say to objects, without keeping any.

    Attributes:
        server: the server; namespaces that objects name are made in it.
        paths: collection's path and whether it is in a namespace, by (apiVersion, kind).
    """

    server: ApiServer
    paths: dict[tuple[str, str], tuple[str, bool]]

    def path(self, item: Object) -> str:
        """Of the collection that an object belongs to."""
        resource, in_namespace = self._resource(item["apiVersion"], item["kind"])
        group = f"/api/{item['apiVersion']}" if "/" not in item["apiVersion"] else f"/apis/{item['apiVersion']}"
        namespace = item["metadata"].get("namespace", "default")
        return f"{group}/namespaces/{namespace}/{resource}" if in_namespace else f"{group}/{resource}"

    def refusal(self, item: Object) -> str:
        """Why the server would not take it; "" when it would. Unknown and doubled fields are refused too."""
        path = self.path(item)
        if "namespace" in item["metadata"]:
            self.namespace(item["metadata"]["namespace"])
        parameters = {"dryRun": "All", "fieldValidation": "Strict"}
        answer = self.server.client.post(path, params=parameters, json=item)
        if answer.status_code == 409:  # it is there: what counts is that it would be taken as it is
            parameters |= {"fieldManager": "tests", "force": "true"}
            headers = {"Content-Type": "application/apply-patch+yaml"}
            own = f"{path}/{item['metadata']['name']}"
            answer = self.server.client.patch(own, params=parameters, content=json.dumps(item), headers=headers)
        return "" if answer.is_success else str(answer.json()["message"])

    def namespace(self, name: str) -> None:
        """Makes a namespace that demands Pod Security's level "restricted" of its pods."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        answer = self.server.client.post("/api/v1/namespaces", json={"metadata": {"name": name, "labels": labels}})
        assert answer.is_success or answer.status_code == 409, answer.text

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self.paths:
            group = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            for one in self.server.client.get(group).json()["resources"]:
                if "/" not in one["name"]:
                    self.paths[version, one["kind"]] = (one["name"], one["namespaced"])
        return self.paths[version, kind]


def write_schemas(server: ApiServer, folder: Path) -> None:
    """JSON schemas for kubeconform, one file a kind, from what the server itself publishes.

    Closed, so that a misspelt field is an error. Each file holds all definitions that it refers to.
    """
    definitions = server.client.get("/openapi/v2").json()["definitions"]
    closed = {name: _closed(schema) for name, schema in definitions.items()}
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].split(".")[0]
            parts = [kind["kind"], *([group] if group else []), kind["version"]]
            target = folder / f"{'-'.join(parts).lower()}.json"
            needed = _needed(name, closed)
            document = {"$ref": f"#/definitions/{name}", "definitions": {one: closed[one] for one in needed}}
            target.write_text(json.dumps(document))


def _closed(schema: Any) -> Any:
    """The schema with what OpenAPI leaves open shut, and with int-or-string said as JSON schema can."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    made = {key: _closed(value) for key, value in schema.items() if key not in {"description", "default", "format"}}
    properties = schema.get("properties")
    if properties is not None:
        made["properties"] = {name: _closed(one) for name, one in properties.items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            made["additionalProperties"] = False
    return made


def _needed(name: str, definitions: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            text = json.dumps(definitions[one])
            waiting += [part.split('"', 1)[0] for part in text.split("#/definitions/")[1:]]
    return found


def kubeconform(objects: Iterable[Object], schemas: Path, *, without_schema: Iterable[str] = ()) -> list[str]:
    """What kubeconform finds wrong, one line each. Kinds in `without_schema` are passed over."""
    done = subprocess.run(
        [
            tool("kubeconform"),
            "-strict",
            "-output=json",
            "-summary",
            f"-schema-location={schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            f"-skip={','.join(without_schema)}",
            "-",
        ],
        input=yaml.dump_all(list(objects), Dumper=yaml.CSafeDumper, sort_keys=False),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["summary"]["valid"] > 0, done.stdout + done.stderr
    return [f"{one['kind']} {one['name']}: {one['msg']}" for one in answer.get("resources", ())]
