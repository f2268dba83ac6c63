"""From the inputs of a manifest to regular files on this machine, in one fixed order.

A prefix or folder becomes its videos, in natural order; a video that is named twice is processed once. An input that
cannot be read does not stop the others: it comes back as a `FailedInput` in its place, and the job ends
PartiallyCompleted. Only what makes every input impossible (no credentials, no room) is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, assert_never

from videojob.adapters.inputs.http_files import HttpFiles, shown_url
from videojob.adapters.inputs.local_files import LocalFiles, shown_path
from videojob.adapters.inputs.s3_objects import S3Objects, s3_client
from videojob.adapters.inputs.transfer import Progress, TransferPolicy, no_progress
from videojob.api.spec import FileInput, HttpInput, Input, S3Input
from videojob.errors import InputError, VideoJobError
from videojob.ports.inputs import FetchedInput, InputFetcher
from videojob.video.plan import PlannedVideo

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True, slots=True)
class FailedInput:
    """An input that could not be read.

    Attributes:
        uri: as the manifest names it, queries left out.
        name: what the user calls it; "" when the manifest gives no name.
        error: why, and what to do.
        source: of the manifest, when its videos could not even be listed; asking again may find them.
    """

    uri: str
    name: str
    error: VideoJobError
    source: Input | None = None


@dataclass(frozen=True, slots=True)
class RequestedInput:
    """One video to fetch.

    Attributes:
        address: complete. uri: what people may see of it.
        name: what the user calls it; "" when the manifest gives no name.
        version: the pin that the manifest demands, or None.
        fetcher: brings it here.
        owner: AWS account that must own its bucket, "" when that is not checked.
        requester_pays: reading it agrees to pay for that.
    """

    address: str
    uri: str
    name: str
    version: str | None
    fetcher: InputFetcher
    owner: str = ""
    requester_pays: bool = False


Item = RequestedInput | FailedInput


class InputResolver:
    """Resolves inputs; a context manager, since it keeps connections open.

    Args:
        manifest_folder: where relative paths start.
        cache_folder: where downloads go; whatever is in it already is used again when its pin still holds.
        policy: limits and patience of downloads.
        progress: told (uri, bytes here, bytes in all or None) while a download runs; may raise `Cancelled`.
        http: fetches http inputs; by default one that reaches public addresses only, made when first needed.
    """

    def __init__(
        self,
        manifest_folder: Path,
        cache_folder: Path,
        *,
        policy: TransferPolicy | None = None,
        progress: Progress = no_progress,
        http: HttpFiles | None = None,
    ) -> None:
        self._cache_folder = cache_folder
        self._policy = policy or TransferPolicy()
        self._progress = progress
        self._given_http = http
        self._left_out: list[str] = []
        self._files = LocalFiles(manifest_folder, self._left_out.append)
        self._open = ExitStack()

    def __enter__(self) -> InputResolver:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._open.close()

    def fetch(self, requested: Item) -> FetchedInput | FailedInput:
        """One video that `expand` named.

        Raises:
            SetupError: AWS cannot be used from here, or the disk is full.
        """
        if isinstance(requested, FailedInput):
            return requested
        try:
            fetched = requested.fetcher.fetch(requested.address, requested.version, self._cache_folder)
        except InputError as error:
            return FailedInput(requested.uri, requested.name, error)
        return replace(fetched, name=requested.name)

    def expand(self, inputs: Sequence[Input]) -> Iterator[Item]:
        """Each video of each input, not fetched yet, those named twice too.

        Raises:
            SetupError: AWS cannot be used from here.
            ManifestError: a prefix with more videos than a job may have.
        """
        for item in inputs:
            try:
                videos = self._expand(item)
            except InputError as error:
                yield FailedInput(error.uri or _uri(item), item.name or "", error, item)
            else:
                yield from videos

    def _expand(self, item: Input) -> list[RequestedInput]:
        source = item.source
        match source:
            case S3Input():
                return self._expand_s3(source, item.name or "")
            case HttpInput():
                return [RequestedInput(source.url, shown_url(source.url), item.name or "", None, self._http)]
            case FileInput():
                paths = self._files.expand(source.path)
                uris = [shown_path(path) for path in paths]
                names = _names(item.name or "", uris, several=paths != [source.path])
                found = zip(paths, uris, names, strict=True)
                return [RequestedInput(path, uri, name, None, self._files) for path, uri, name in found]
            case _:
                assert_never(source)

    def _expand_s3(self, source: S3Input, name: str) -> list[RequestedInput]:
        owner, pays = source.expected_bucket_owner or "", source.requester_pays
        objects = self._objects(owner, requester_pays=pays)
        if source.key is not None:
            version = None if source.version_id is None else f"version:{source.version_id}"
            uri = f"s3://{source.bucket}/{source.key}"
            return [RequestedInput(uri, uri, name, version, objects, owner, pays)]
        uris = [listed.uri for listed in objects.expand(source.bucket, source.prefix or "", self._left_out.append)]
        names = _names(name, uris, several=True)
        return [RequestedInput(uri, uri, own, None, objects, owner, pays) for uri, own in zip(uris, names, strict=True)]

    def take_left_out(self) -> list[str]:
        """Sentences about what folders and prefixes held and was not taken, since the last call."""
        words = list(self._left_out)
        self._left_out.clear()
        return words

    def fetcher_of(self, video: PlannedVideo) -> InputFetcher:
        """What fetches a video that was expanded before, here or in another process."""
        if video.address.startswith("s3://"):
            return self._objects(video.owner, requester_pays=video.requester_pays)
        return self._http

    def _objects(self, owner: str, *, requester_pays: bool) -> S3Objects:
        return S3Objects(self._s3, self._policy, self._progress, owner or None, requester_pays=requester_pays)

    @cached_property
    def _s3(self) -> S3Client:
        return s3_client()

    @cached_property
    def _http(self) -> HttpFiles:
        if self._given_http is not None:
            return self._given_http
        return self._open.enter_context(HttpFiles(self._policy, progress=self._progress))


def once(found: Iterable[Item], check: Callable[[int], None] = lambda _: None) -> list[Item]:
    """Without those that the manifest names twice; `check` is called with how many there are so far, and may raise."""
    kept: dict[Hashable, Item] = {}
    for at, item in enumerate(found):
        kept.setdefault(at if isinstance(item, FailedInput) else (item.address, item.version), item)
        check(len(kept))
    return list(kept.values())


def distinct(found: Iterable[FetchedInput | FailedInput]) -> Iterator[FetchedInput | FailedInput]:
    """Each file once: two spellings of one path, or a version and the prefix that it lies under, are one file here."""
    had: set[tuple[Path, str]] = set()
    for one in found:
        if not isinstance(one, FailedInput):
            same = (one.path.resolve(), one.version)
            if same in had:
                continue
            had.add(same)
        yield one


def _names(name: str, uris: Sequence[str], *, several: bool) -> list[str]:
    """What the user calls each video of one input: its name, followed by the file's own when there may be several."""
    if not name or not several:
        return [name] * len(uris)
    return [f"{name}/{PurePosixPath(uri).name}" for uri in uris]


def _uri(item: Input) -> str:
    source = item.source
    match source:
        case S3Input():
            return f"s3://{source.bucket}/{source.key or source.prefix or ''}"
        case HttpInput():
            return shown_url(source.url)
        case FileInput():
            return source.path
        case _:
            assert_never(source)
