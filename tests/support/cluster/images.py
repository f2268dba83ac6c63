"""Images for the real node, built on this machine from packages: no registry, no Docker. Kept in .cache, by content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.cluster.control_plane import ROOT
from support.cluster.node import PAUSE_IMAGE
from support.cluster.pins import pins
from support.cluster.processes import run

CACHE = ROOT / ".cache" / "images"
BASE_IMAGE = "localhost/videojob-tests/base:1"
_SUITE = "bookworm"
_INCLUDED = "python3,python3-venv,python3-pip,ca-certificates"
_PAUSE = """#include <signal.h>
#include <unistd.h>
static void end(int number) { _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""


def pause_image() -> Path:
    """An archive with the program that holds a pod's namespaces."""
    with _building(f"pause-{_mark(_PAUSE.encode())}.tar") as (archive, scratch):
        if scratch is None:
            return archive
        (scratch / "pause.c").write_text(_PAUSE)
        run(["gcc", "-static", "-Os", "-o", scratch / "pause", scratch / "pause.c"])
        (scratch / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
        _build(scratch, scratch / "Dockerfile", PAUSE_IMAGE, archive)
    return archive


def base_image() -> None:
    """Debian with Python in the local image store, under BASE_IMAGE."""
    with _locked():
        if _buildah(["images", "--quiet", BASE_IMAGE], check=False).strip():
            return
        tree = CACHE / "base-rootfs"
        if not (tree / "usr" / "bin" / "python3").exists():
            shutil.rmtree(tree, ignore_errors=True)
            run(["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", _SUITE, tree], timeout_s=1200)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            file = Path(scratch) / "Dockerfile"
            file.write_text("FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n")
            _trust_as_here(tree)
            _buildah(["bud", "--tag", BASE_IMAGE, "--file", str(file), str(tree)])


def _trust_as_here(tree: Path) -> None:
    """The authorities that this machine trusts: its package registries may be reached through one of its own."""
    bundle = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy2(Path("/") / bundle, tree / bundle)
    (tree / "etc" / "pip.conf").write_text(f"[global]\ncert = /{bundle}\n")


def built(name: str, dockerfile: Path, context: Path, sources: Sequence[Path], arguments: Sequence[str] = ()) -> Path:
    """An archive of the image that a Dockerfile makes, on BASE_IMAGE where it takes that.

    Args:
        name: of the image, with its tag.
        dockerfile: what to build.
        context: folder that it copies from.
        sources: files and folders that decide its content.
        arguments: KEY=VALUE for `ARG`s.
    """
    mark = _mark(*(_content(path) for path in (dockerfile, *sources)), *(one.encode() for one in arguments))
    short = name.rsplit("/", 1)[-1].replace(":", "-")
    with _building(f"{short}-{mark}.tar") as (archive, scratch):
        if scratch is None:
            return archive
        base_image()
        _build(context, dockerfile, name, archive, arguments)
    return archive


def _build(context: Path, dockerfile: Path, name: str, archive: Path, arguments: Sequence[str] = ()) -> None:
    options = [option for one in arguments for option in ("--build-arg", one)]
    how = ["--layers", "--isolation", "chroot", "--network", "host", "--pull-never", *options]
    _buildah(["bud", *how, "--tag", name, "--file", str(dockerfile), str(context)])
    part = archive.with_suffix(".part")
    part.unlink(missing_ok=True)
    _buildah(["push", name, f"docker-archive:{part}:{name}"])
    part.replace(archive)


def _buildah(arguments: Sequence[str], *, check: bool = True) -> str:
    store = [f"--root={CACHE / 'storage'}", f"--runroot={CACHE / 'run'}", "--storage-driver=overlay"]
    command = ["buildah", *store, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1800, check=False, env=os.environ | {"TMPDIR": str(CACHE)}
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"buildah {arguments[0]}: {done.stdout[-2000:]} {done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def _building(name: str) -> Iterator[tuple[Path, Path | None]]:
    """The archive, and a scratch folder when it must be built; older ones of the same name are removed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = CACHE / name
    if archive.exists():
        yield archive, None
        return
    for older in CACHE.glob(f"{name.rsplit('-', 1)[0]}-*.tar"):
        older.unlink()
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        yield archive, Path(scratch)


@contextmanager
def _locked() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mark(*contents: bytes) -> str:
    whole = hashlib.sha256()
    for content in contents:
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()[:12]


def _content(path: Path) -> bytes:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    kept = (one for one in files if "__pycache__" not in one.parts)
    return b"".join(f"{one.relative_to(path.parent)}\n".encode() + one.read_bytes() for one in kept)


PROJECT_IMAGE = "localhost/videojob-tests/videojob:1"
TRITON_IMAGE = "localhost/videojob-tests/triton:1"
SUPPORT_IMAGE = "localhost/videojob-tests/support:1"
_RECIPES = ROOT / "tests" / "support" / "images"


def project_image() -> Path:
    """The project's own image, from its Dockerfile."""
    sources = [ROOT / name for name in ("requirements/runtime.txt", "operator", "model_repository", "pyproject.toml")]
    return built(PROJECT_IMAGE, ROOT / "Dockerfile", ROOT, sources, [f"BASE_IMAGE={BASE_IMAGE}"])


def triton_image() -> Path:
    """A CPU Triton."""
    return _recipe(TRITON_IMAGE, "triton", pins("nvidia-pytriton", "onnxruntime", "numpy"))


def support_image() -> Path:
    """S3 and DynamoDB."""
    home = Path(run([ROOT / "scripts" / "dynamodb-local"]).splitlines()[-1])
    return _recipe(SUPPORT_IMAGE, "support", pins("moto[server,s3,dynamodb]"), {"dynamodb": home})


def _recipe(name: str, folder: str, requirements: str, folders: Mapping[str, Path] | None = None) -> Path:
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch) / folder
        shutil.copytree(_RECIPES / folder, context)
        (context / "requirements.txt").write_text(requirements)
        # Named by version, so that what is copied from them need not be read to know that it is the same.
        versions = [f"{part}={place.name}" for part, place in (folders or {}).items()]
        for part, place in (folders or {}).items():
            shutil.copytree(place, context / part)
        arguments = [f"BASE_IMAGE={BASE_IMAGE}", *versions]
        return built(
            name, context / "Dockerfile", context, [_RECIPES / folder, context / "requirements.txt"], arguments
        )
