"""From a manifest file to VideoJobs, or to a list of everything that is wrong with it."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from videojob.api.loading.explain import explain, is_consequence
from videojob.api.loading.problems import ManifestProblem, ManifestProblems, field_text
from videojob.api.loading.yaml_tree import Plain, Tree, YamlProblem, parse
from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.errors import ManifestError

MAX_BYTES = 1024 * 1024
"""etcd, where a cluster keeps its objects, takes little more."""
MAX_PROBLEMS = 100
"""Of one job; further ones are only counted."""


def load_manifests(path: Path) -> list[VideoJob]:
    """Every VideoJob of a file, in its order; documents are separated by `---`.

    Args:
        path: a YAML or JSON file of at most 1 MiB.

    Raises:
        ManifestProblems: something in it is wrong; carries all problems with their places.
        ManifestError: the file cannot be read at all.
    """
    return parse_manifests(_read(path), str(path))


def parse_manifests(text: str, name: str) -> list[VideoJob]:
    """Every VideoJob of a text; `name` is what messages call it. Raises as `load_manifests`."""
    try:
        trees = parse(text)
    except YamlProblem as problem:
        place = problem.place
        raise ManifestProblems(
            [ManifestProblem(name, place.line, place.column, "", problem.what, problem.fix)]
        ) from None
    if not trees:
        raise ManifestProblems([ManifestProblem(name, 1, 1, "", "there is nothing in it", "Start from examples/.")])
    jobs: list[VideoJob] = []
    problems: list[ManifestProblem] = []
    for tree in trees:
        found = _job(tree, name)
        if isinstance(found, VideoJob):
            jobs.append(found)
        else:
            problems += found
    problems += [] if problems else _doubles(jobs, trees, name)
    if problems:
        raise ManifestProblems(problems)
    return jobs


def _read(path: Path) -> str:
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise ManifestError(f"{path} is a folder", uri=str(path), hint="Name a manifest file in it.")
        if facts.st_size > MAX_BYTES:
            raise _too_large(path, f"{facts.st_size} bytes")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot read the manifest {path}: {error.strerror}"
        raise ManifestError(message, uri=str(path), hint="Check the path and its permissions.") from error
    if len(content) > MAX_BYTES:
        raise _too_large(path, "more than that")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = ManifestProblem(str(path), line, column, "", "this is not UTF-8 text", "Save the file as UTF-8.")
        raise ManifestProblems([problem]) from error


def _too_large(path: Path, size: str) -> ManifestError:
    message = f"{path} is no manifest: {size}, where at most {MAX_BYTES} are accepted"
    return ManifestError(message, uri=str(path), hint="Name the manifest, not a video; split one with very many jobs.")


def _job(tree: Tree, file: str) -> VideoJob | list[ManifestProblem]:
    wrong_kind = _kind_problem(tree, file)
    if wrong_kind is not None:
        return [wrong_kind]
    assert isinstance(tree.value, dict)  # noqa: S101 - `_kind_problem` refuses anything else
    values = {key: value for key, value in tree.value.items() if key != "status"}
    try:
        return VideoJob.from_manifest(values)
    except ValidationError as error:
        found = [detail for detail in error.errors(include_url=False) if not is_consequence(detail)]
        problems = [_problem(detail, tree, file) for detail in found[:MAX_PROBLEMS]]
        if len(found) > MAX_PROBLEMS:
            what = f"there are {len(found) - MAX_PROBLEMS} more problems"
            problems.append(replace(problems[-1], field="", what=what, fix="Correct these first."))
        return problems


def _problem(detail: ErrorDetails, tree: Tree, file: str) -> ManifestProblem:
    place = tree.place(detail["loc"])
    what, fix = explain(detail, VideoJob, tree.words.get(detail["loc"]))
    return ManifestProblem(file, place.line, place.column, field_text(detail["loc"]), what, fix)


def _kind_problem(tree: Tree, file: str) -> ManifestProblem | None:
    if not isinstance(tree.value, dict):
        start = tree.place(())
        return ManifestProblem(file, start.line, start.column, "", "this is no Kubernetes object", _header_hint())
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        found: Plain = tree.value.get(field)
        if found != expected:
            place = tree.place((field,))
            written = tree.words.get((field,), str(found))
            what = "this field is missing" if found is None else f"{written[:60]!r} is not known here"
            return ManifestProblem(file, place.line, place.column, field, what, _header_hint())
    return None


def _header_hint() -> str:
    return f'A manifest begins with "apiVersion: {API_VERSION}" and "kind: {KIND}".'


def _doubles(jobs: list[VideoJob], trees: list[Tree], file: str) -> list[ManifestProblem]:
    problems = []
    seen: set[tuple[str, str]] = set()
    for job, tree in zip(jobs, trees, strict=True):
        identity = (job.metadata.namespace, job.metadata.name)
        if identity in seen:
            place = tree.place(("metadata", "name"))
            what = f"a job {job.metadata.name!r} is in this file already"
            problems.append(
                ManifestProblem(file, place.line, place.column, "metadata.name", what, "Give it another name.")
            )
        seen.add(identity)
    return problems
