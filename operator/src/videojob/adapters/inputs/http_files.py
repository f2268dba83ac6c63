"""Files at http and https addresses, downloaded with no way into this machine's own network.

What holds whatever the server says: only http and https; every hop of at most five redirects goes to a public address
that was judged before connecting (`addresses`); no proxy, password or cookie of this machine is used; the length is
bounded; a server that trickles is given up. A query string may hold a signature, so messages and results never show it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

import httpcore
import httpx

from videojob.adapters.inputs.addresses import AddressPolicy, Resolve, VettedNetwork, resolve_host
from videojob.adapters.inputs.paged import PagedVideo
from videojob.adapters.inputs.patience import Patience, PatientNetwork
from videojob.adapters.inputs.ranges import RangedObject
from videojob.adapters.inputs.transfer import (
    Body,
    CacheEntry,
    Download,
    Progress,
    TransferPolicy,
    cache_entry,
    no_progress,
)
from videojob.errors import InputAddressForbidden, InputChanged, InputError, InputNotFound, InputUnavailable
from videojob.ports.inputs import FetchedInput, Paging

MAX_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_HEADERS: Mapping[str, str] = {}
_FIRST_BYTE: Mapping[str, str] = {"Range": "bytes=0-0"}
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "videojob"}


def shown_url(url: str) -> str:
    """The address without its query, which may hold a signature."""
    head, mark, _ = url.partition("?")
    return f"{head}?…" if mark else head


@dataclass(frozen=True, slots=True)
class _Content:
    """What a server said about the whole object: its pin, its length, and whether a part of it may be asked for.

    Attributes:
        is_part: it said so with a part of the object.
    """

    version: str | None
    validator: str | None
    total_bytes: int | None
    is_part: bool = False

    @staticmethod
    def of(headers: httpx.Headers) -> _Content:
        total = _total_bytes(headers)
        etag = headers.get("ETag")
        modified = headers.get("Last-Modified")
        if etag:
            # A weak one does not tell that the bytes are the same: a date may stand in for it.
            strong = modified if etag.startswith("W/") else etag
            return _Content(f"etag:{etag}", strong, total, is_part="Content-Range" in headers)
        if modified and total is not None:
            # A time of change may be a second old when the object changes again; length helps, If-Range stays exact.
            return _Content(f"modified:{modified}:{total}", modified, total, is_part="Content-Range" in headers)
        return _Content(None, None, total)


class _RawBody(httpx.SyncByteStream):
    """The bytes of an httpcore answer, as a byte stream of httpx."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _VettedTransport(httpx.BaseTransport):
    """httpx on top of a connection pool whose sockets are opened by `network`."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=network)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        response = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_RawBody(response), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class HttpFiles:
    """Implements `ports.InputFetcher` for http and https addresses.

    Args:
        policy: limits and patience.
        addresses: which addresses may be connected to.
        resolve: name to addresses.
        progress: told while a download runs.
    """

    def __init__(
        self,
        policy: TransferPolicy | None = None,
        addresses: AddressPolicy | None = None,
        resolve: Resolve = resolve_host,
        progress: Progress = no_progress,
    ) -> None:
        self._policy = policy or TransferPolicy()
        self._progress = progress
        self._patience = Patience(self._policy.answer_s, self._policy.monotonic_s)
        network = PatientNetwork(VettedNetwork(addresses or AddressPolicy(), resolve), self._patience)
        # trust_env=False: no proxy (it would connect for us, unjudged), no .netrc.
        self._client = httpx.Client(
            transport=_VettedTransport(network), headers=_HEADERS, timeout=_TIMEOUT, trust_env=False
        )

    def __enter__(self) -> HttpFiles:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def fetch(self, uri: str, version: str | None, folder: Path) -> FetchedInput:
        """Downloads one address, or takes it from the cache when the server says it is the same.

        Raises:
            InputNotFound: 404 and its like, or the access is denied.
            InputAddressForbidden: a hop that leads into a private network, or off http and https.
            InputChanged: another content than `version`, or replaced during the download.
            InputTooLarge: over the limit.
            InputUnavailable: the server does not answer, retries included.
        """
        content = self._describe(uri)
        self._check_version(uri, version, content)
        if content.total_bytes is not None:
            self._policy.check_size(shown_url(uri), content.total_bytes)
        name = unquote(httpx.URL(uri).path).rsplit("/", 1)[-1]
        entry = cache_entry(folder, uri, content.version or "unversioned", name)
        entry = CacheEntry(shown_url(uri), entry.path)
        with entry.locked():
            if content.version is None:
                return self._fetch_unversioned(uri, version, content, entry)
            if not entry.path.exists():
                Download(entry, content.total_bytes, self._policy, self._progress).run(
                    lambda offset: self._body(uri, offset, content)
                )
            return FetchedInput(entry.uri, entry.path, content.version)

    def page(self, uri: str, version: str | None, folder: Path, paging: Paging) -> FetchedInput | None:
        """One address, its bytes to come as they are read; raises what `fetch` raises, now or when they are read.

        None when the server does not send parts, or has neither a strong ETag nor a date of change to say what they are
        parts of: each pod then copies the whole.
        """
        try:
            content = self._describe(uri, _FIRST_BYTE)
            if content.is_part and content.validator is not None:
                # Some servers take no date as the condition of a part, and would answer each read with everything.
                content = self._describe(uri, {**_FIRST_BYTE, "If-Range": content.validator})
        except InputUnavailable as error:
            if error.retryable:
                raise
            return None  # as for an empty file: asking for all of it tells more
        if not content.is_part or content.validator is None or content.version is None or content.total_bytes is None:
            return None
        self._check_version(uri, version, content)
        open_range = partial(self._range, uri, content)
        ranged = RangedObject(shown_url(uri), content.version, content.total_bytes, open_range)
        place = folder / secrets.token_hex(8)
        pages = PagedVideo(ranged, place, paging, self._policy, progress=self._progress)
        return FetchedInput(shown_url(uri), pages.path, content.version, pages=pages)

    def _fetch_unversioned(self, uri: str, version: str | None, content: _Content, entry: CacheEntry) -> FetchedInput:
        # Nothing says whether a part or a copy is still what the server has: always from the start, pinned by a full
        # hash.
        entry.part.unlink(missing_ok=True)
        Download(entry, content.total_bytes, self._policy, self._progress).run(
            lambda _offset: self._body(uri, 0, content)
        )
        with entry.path.open("rb") as file:
            found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if version is not None and version != found:
            raise InputChanged("the content on the server has changed", uri=entry.uri)
        return FetchedInput(entry.uri, entry.path, found)

    def _check_version(self, uri: str, version: str | None, content: _Content) -> None:
        if version is not None and content.version is not None and content.version != version:
            raise InputChanged("the content on the server has changed", uri=shown_url(uri))

    def _describe(self, uri: str, headers: Mapping[str, str] = _NO_HEADERS) -> _Content:
        """What the server says about the object; a GET whose body is not read, since some servers refuse HEAD."""

        def ask() -> _Content:
            with self._get(uri, headers) as response:
                return _Content.of(response.headers)

        return self._policy.retrying()(ask)

    @contextmanager
    def _range(self, uri: str, content: _Content, start: int, stop: int) -> Iterator[Iterator[bytes]]:
        headers = {"Range": f"bytes={start}-{stop - 1}", "If-Range": content.validator or ""}
        with self._get(uri, headers) as response:
            if _Content.of(response.headers).version != content.version:
                raise InputChanged("the object was replaced while it was read", uri=shown_url(uri))
            if response.status_code != httpx.codes.PARTIAL_CONTENT or _first_byte(response) != start:
                words = "the server sent another range than requested"
                raise InputUnavailable(words, uri=shown_url(uri), retryable=False)
            yield self._pieces(response)

    @contextmanager
    def _body(self, uri: str, offset: int, content: _Content) -> Iterator[Body]:
        headers = {}
        if offset and content.validator is not None:
            headers = {"Range": f"bytes={offset}-", "If-Range": content.validator}
        with self._get(uri, headers) as response:
            if _Content.of(response.headers).version != content.version:
                raise InputChanged("the object was replaced during the download", uri=shown_url(uri))
            start = _first_byte(response) if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
            if start > offset:
                raise InputUnavailable("the server sent another range than requested", uri=shown_url(uri))
            # Chunks as they come: gathering them to a size would lose what had arrived when a connection breaks.
            yield Body(start, self._pieces(response))

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        self._patience.restart()
        for piece in response.iter_raw():
            yield piece
            self._patience.restart()

    @contextmanager
    def _get(self, uri: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A good answer at the end of the redirects, its body unread."""
        try:
            response = self._follow(uri, headers)
            try:
                _check_status(response, shown_url(uri))
                yield response
            finally:
                response.close()
        except (httpx.TransportError, *_HTTPCORE_ERRORS) as error:
            words = str(error) or type(error).__name__
            raise InputUnavailable(f"the server cannot be read: {words}", uri=shown_url(uri)) from error
        except InputAddressForbidden as error:
            raise InputAddressForbidden(error.message, uri=shown_url(uri)) from error

    def _follow(self, uri: str, headers: Mapping[str, str]) -> httpx.Response:
        try:
            request = self._client.build_request("GET", uri, headers=headers)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise InputNotFound(f"not an address: {error}", uri=shown_url(uri), hint="Correct the URL.") from error
        for _ in range(MAX_REDIRECTS + 1):
            _check_url(request.url, shown_url(uri))
            self._patience.restart()
            response = self._client.send(request, stream=True)
            if response.next_request is None:
                return response
            response.close()
            if request.url.scheme == "https" and response.next_request.url.scheme == "http":
                raise InputAddressForbidden("a redirect leads from https to http", uri=shown_url(uri))
            request = response.next_request
            request.headers.update(headers)
        raise InputUnavailable(f"more than {MAX_REDIRECTS} redirects", uri=shown_url(uri), retryable=False)


_HTTPCORE_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


def _check_url(url: httpx.URL, uri: str) -> None:
    if url.scheme not in {"http", "https"} or not url.host:
        raise InputAddressForbidden(f"{url.scheme or 'an address without scheme'} is not http or https", uri=uri)
    if url.userinfo:
        hint = "Use a pre-signed address, or put the file into S3."
        raise InputAddressForbidden("an address may not hold a user name or password", uri=uri, hint=hint)


def _check_status(response: httpx.Response, uri: str) -> None:
    status = response.status_code
    if status in {200, 206}:
        return
    words = f"the server answered {status} {response.reason_phrase}".rstrip()
    raise _status_error(status, words, uri)


def _status_error(status: int, words: str, uri: str) -> InputError:
    if status in _TRANSIENT:
        return InputUnavailable(words, uri=uri)
    if status in {404, 410}:
        return InputNotFound(words, uri=uri, hint="Check the address.")
    if status in {401, 403}:
        return InputNotFound(words, uri=uri, hint="Check the address; a pre-signed one may have expired.")
    return InputUnavailable(words, uri=uri, hint="Open the address in a browser to see why.", retryable=False)


def _first_byte(response: httpx.Response) -> int:
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdecimal():
        raise InputUnavailable(
            "the server sent a range without a valid Content-Range", uri=shown_url(str(response.url))
        )
    return int(first)


def _total_bytes(headers: httpx.Headers) -> int | None:
    """Length of the whole object, from an answer with all of it or with a part."""
    span = headers.get("Content-Range")
    text = span.rpartition("/")[2] if span is not None else headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None
