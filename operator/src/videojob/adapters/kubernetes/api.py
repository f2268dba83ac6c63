"""The Kubernetes API as plain objects: one request each, with deadlines, and every refusal in our words. Watches and
logs are streams, whose silence has a deadline, too.

`kubernetes` finds the cluster and its credentials (kubeconfig, contexts, exec plugins, a pod's rotating token), httpx
carries the requests: its pool is shared by all threads, and no model classes are built for objects that are read as
plain dictionaries anyway.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config

from videojob.errors import ClusterRefused, ClusterUnavailable, SetupError
from videojob.kube.kinds import PODS, Kind
from videojob.kube.read.log_sources import LogQuery
from videojob.ports.cluster import AlreadyThere, Cluster, ClusterConflict, ClusterStreams, Object, Outline

_CONNECT_S = 5.0
_PAGE = 500
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
_WORDS_CHARACTERS = 1000
_MOST_RETRY_AFTER_S = 60.0
_WATCH_S = 40
"""After so long the server ends a watch: a connection that is silent for longer is lost."""
_SILENT_S = 60.0
_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TYPES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
}


class _Token(httpx.Auth):
    """The credentials of a kubeconfig or pod, asked for at each request: a pod's token changes every hour."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._configuration = configuration

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds them."""
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        yield request


def connect_cluster(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    observe: Callable[[str, int], None] | None = None,
    patience_s: float = 30.0,
    connections: int = 32,
) -> KubernetesApi:
    """A connection with the credentials of this machine or pod.

    Args:
        kubeconfig: file to take; None takes KUBECONFIG, ~/.kube/config, or the pod's own account.
        context: of the kubeconfig; None takes its current one.
        observe: told (method, status) of every answer; status 0 for none.
        patience_s: how long to wait for an answer.
        connections: most at once; each stream holds one.

    Raises:
        SetupError: there is no cluster to talk to.
    """
    configuration = client.Configuration()
    try:
        _load(configuration, kubeconfig, context)
    except (config.ConfigException, OSError, ValueError) as error:
        raise SetupError(
            f"no Kubernetes cluster is configured: {str(error).rstrip('.')}",
            hint="Set KUBECONFIG or --kubeconfig, or pick a context that exists with --context.",
        ) from error
    http = httpx.Client(
        base_url=configuration.host,
        auth=_Token(configuration),
        verify=_trust(configuration),
        timeout=httpx.Timeout(patience_s, connect=min(patience_s, _CONNECT_S)),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=16),
        headers={"User-Agent": "videojob", "Accept": "application/json"},
        trust_env=False,
    )
    return KubernetesApi(http, observe)


def context_namespace(kubeconfig: Path | None = None, context: str | None = None) -> str:
    """The namespace that the context names, as kubectl takes it: "default" when it names none; of a pod, its own."""
    try:
        file = None if kubeconfig is None else str(kubeconfig)
        contexts, active = config.list_kube_config_contexts(config_file=file)  # type: ignore[no-untyped-call]  # has no types
    except (config.ConfigException, OSError, ValueError):
        contexts, active = [], None
        if kubeconfig is None and _ACCOUNT_NAMESPACE.is_file():
            return _ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    chosen = active if context is None else next((one for one in contexts if one["name"] == context), None)
    return str(((chosen or {}).get("context") or {}).get("namespace") or "default")


def _load(configuration: client.Configuration, kubeconfig: Path | None, context: str | None) -> None:
    """A kubeconfig where there is one, the pod's own account otherwise."""
    default = Path(config.KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep)[0]).expanduser()
    if kubeconfig is None and not default.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # has no types
        return
    config.load_kube_config(  # type: ignore[no-untyped-call]  # as above
        config_file=None if kubeconfig is None else str(kubeconfig), context=context, client_configuration=configuration
    )


def _trust(configuration: client.Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file is not None:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


class KubernetesApi(Cluster, ClusterStreams):
    """Implements `ports.Cluster` and `ports.ClusterStreams`.

    Args:
        http: knows the server and the credentials.
        observe: see `connect_cluster`.
    """

    def __init__(self, http: httpx.Client, observe: Callable[[str, int], None] | None = None) -> None:
        self._http = http
        self._observe = observe or (lambda _method, _status: None)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        answer = self._send("GET", kind.path(namespace, name), missing_ok=True)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _object(answer)

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", most: int | None = None
    ) -> Iterator[Object]:
        size = _PAGE if most is None else min(most, _PAGE)
        parameters = {"limit": str(size), "labelSelector": labels, "fieldSelector": fields}
        parameters = {name: value for name, value in parameters.items() if value}
        path = kind.path(namespace)
        return islice(chain.from_iterable(page["items"] or () for page in self._pages(path, parameters, "items")), most)

    def outlines(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Iterator[Outline]:
        parameters = {"limit": str(_PAGE), "includeObject": "Metadata"} | ({"labelSelector": labels} if labels else {})
        for page in self._pages(kind.path(namespace), parameters, "rows"):
            names = [str(one["name"]) for one in page.get("columnDefinitions") or ()]
            for row in page["rows"] or ():
                yield Outline(row["object"]["metadata"], dict(zip(names, row["cells"], strict=True)))

    def _pages(self, path: str, parameters: dict[str, str], what: str) -> Iterator[dict[str, Any]]:
        """A list's pages, each asked for when the one before it is done with: one is in memory at a time."""
        while True:
            page = self._page(path, parameters, what)
            token = page["metadata"].get("continue")
            yield page
            del page
            if not token:
                return
            parameters["continue"] = token

    def _page(self, path: str, parameters: Mapping[str, str], what: str) -> dict[str, Any]:
        """One page of a list, or what is behind the last one now when that list has expired meanwhile.

        Args:
            path: of the list.
            parameters: of the request.
            what: "items" or, of a table, "rows".
        """
        accept = _TABLE if what == "rows" else ""
        answer = self._send("GET", path, parameters=parameters, accept=accept, expired_ok="continue" in parameters)
        page = _object(answer)
        if answer.status_code == httpx.codes.GONE:
            # The server remembers a list for some minutes. With this token it goes on behind the last object that it
            # gave, as things are now: nothing comes twice, and nothing that stayed there is left out.
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                raise ClusterUnavailable(f"GET {path}: the list has expired: {_words(answer)}", uri=path)
            page = _object(self._send("GET", path, parameters={**parameters, "continue": token}, accept=accept))
        if what not in page or "metadata" not in page:
            raise ClusterUnavailable("the API server's answer is not a list", uri=path)
        return page

    def create(self, kind: Kind, value: Object) -> Object:
        return _object(self._send("POST", kind.path(_namespace(value)), value=value))

    def replace(self, kind: Kind, value: Object) -> Object:
        return _object(self._send("PUT", kind.path(_namespace(value), value["metadata"]["name"]), value=value))

    def apply(self, kind: Kind, value: Object, *, manager: str) -> Object:
        path = kind.path(_namespace(value), value["metadata"]["name"])
        parameters = {"fieldManager": manager, "force": "true"}
        return _object(self._send("PATCH", path, value=value, parameters=parameters, form="apply"))

    def patch(
        self, kind: Kind, namespace: str | None, name: str, value: Object, *, subresource: str = ""
    ) -> Object | None:
        path = kind.path(namespace, name) + (f"/{subresource}" if subresource else "")
        answer = self._send("PATCH", path, value=value, form="merge", missing_ok=True)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _object(answer)

    def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None) -> None:
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._send("DELETE", kind.path(namespace, name), value=options, missing_ok=True)

    def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        """The answer to a read as text, as a pod's log."""
        return self._send("GET", path, parameters=parameters).text

    @property
    def address(self) -> str:
        """Of the server."""
        return str(self._http.base_url)

    def watch(
        self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "", version: str = ""
    ) -> Iterator[tuple[str, Object]]:
        parameters = {"watch": "true", "timeoutSeconds": str(_WATCH_S)}
        given = {"labelSelector": labels, "fieldSelector": fields, "resourceVersion": version}
        parameters |= {name: value for name, value in given.items() if value}
        for line in self._lines(kind.path(namespace), parameters):
            change = _change(line)
            if change is None:
                return
            yield change

    def log(self, namespace: str, pod: str, query: LogQuery) -> Iterator[tuple[str, str]]:
        given = {
            "container": query.container,
            "timestamps": "true",
            "follow": "true" if query.follow else "",
            "previous": "true" if query.previous else "",
            "tailLines": "" if query.tail is None else str(query.tail),
            "sinceTime": query.since,
        }
        parameters = {name: value for name, value in given.items() if value}
        for line in self._lines(f"{PODS.path(namespace, pod)}/log", parameters):
            text = line.decode(errors="replace")
            time, _, rest = text.partition(" ")
            yield (time, rest) if time.endswith("Z") else ("", text)

    def _lines(self, path: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """The lines of an answer as they come; ends early when nothing came for long."""
        rest = b""
        try:
            with self._stream(path, parameters) as answer:
                for part in answer.iter_bytes():
                    *lines, rest = (rest + part).split(b"\n")
                    yield from lines
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            self._observe("GET", 0)
            raise ClusterUnavailable(f"GET {path}: {str(error) or type(error).__name__}", uri=path) from error
        if rest:
            yield rest

    @contextmanager
    def _stream(self, path: str, parameters: Mapping[str, str]) -> Iterator[httpx.Response]:
        patience = httpx.Timeout(_SILENT_S, connect=_CONNECT_S)
        with self._http.stream("GET", path, params=parameters, timeout=patience) as answer:
            self._observe("GET", answer.status_code)
            if not answer.is_success:
                answer.read()
                raise _refusal("GET", path, answer)
            yield answer

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        value: Object | None = None,
        parameters: Mapping[str, str] | None = None,
        form: str = "",
        accept: str = "",
        missing_ok: bool = False,
        expired_ok: bool = False,
    ) -> httpx.Response:
        content = None if value is None else json.dumps(value)
        headers = {} if value is None else {"Content-Type": _TYPES.get(form, "application/json")}
        headers |= {"Accept": accept} if accept else {}
        try:
            answer = self._http.request(method, path, params=parameters, content=content, headers=headers)
        except httpx.HTTPError as error:
            self._observe(method, 0)
            raise ClusterUnavailable(f"{method} {path}: {str(error) or type(error).__name__}", uri=path) from error
        self._observe(method, answer.status_code)
        code = answer.status_code
        if answer.is_success or (missing_ok and code == httpx.codes.NOT_FOUND):
            return answer
        if expired_ok and code == httpx.codes.GONE:
            return answer
        raise _refusal(method, path, answer)


def _refusal(method: str, path: str, answer: httpx.Response) -> Exception:
    """Our word for a refusal: the one place where the API server's codes are read."""
    code = answer.status_code
    words = _words(answer)
    if code == httpx.codes.CONFLICT:
        # A quota that many use at once is a conflict in creating, too, and then nothing of that name is there.
        return AlreadyThere(words) if _reason(answer) == "AlreadyExists" else ClusterConflict(words)
    text = f"{method} {path}: {code} {words}"
    passes = code in {httpx.codes.REQUEST_TIMEOUT, httpx.codes.GONE, httpx.codes.TOO_MANY_REQUESTS}
    if passes or code >= httpx.codes.INTERNAL_SERVER_ERROR:
        unavailable = ClusterUnavailable(text, uri=path)
        unavailable.retry_after_s = _retry_after_s(answer)
        return unavailable
    if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        hint = "Log in again, or ask for this right: `kubectl auth can-i` shows what is missing."
        refused = ClusterRefused(text, uri=path, hint=hint, retryable=True)
    else:
        refused = ClusterRefused(text, uri=path)
    refused.code = code
    return refused


def _retry_after_s(answer: httpx.Response) -> float:
    """How long the server asks to be left alone; it says so in whole seconds."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _MOST_RETRY_AFTER_S) if text.isdigit() else 0.0


def _reason(answer: httpx.Response) -> str:
    """The API server's own word for a refusal."""
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return ""


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:_WORDS_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return answer.text[:_WORDS_CHARACTERS]


def _change(line: bytes) -> tuple[str, Object] | None:
    """One message of a watch; None when it is over, as when its version is too old."""
    try:
        message = json.loads(line)
        kind, value = str(message["type"]), message["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterUnavailable("the API server's watch is cut off") from error
    return None if kind == "ERROR" or not isinstance(value, dict) else (kind, value)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except ValueError as error:
        raise ClusterUnavailable("the API server's answer is cut off", uri=str(answer.url.path)) from error
    if not isinstance(value, dict):
        raise ClusterUnavailable("the API server's answer is not an object", uri=str(answer.url.path))
    return value


def _namespace(value: Object) -> str | None:
    found = value["metadata"].get("namespace")
    return None if found is None else str(found)
