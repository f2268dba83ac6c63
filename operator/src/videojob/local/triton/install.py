"""Finds the Triton that the `nvidia-pytriton` wheel carries and makes it runnable for this interpreter.

The wheel has the server, its Python backend and one stub per Python version. The server looks for the stub beside the
backend, so a copy of that folder with the right stub goes into the cache; site-packages stays as it was installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from videojob.errors import SetupError

DISTRIBUTION = "nvidia-pytriton"
_OTHER_SERVER = (
    "Install the `local` extra on Linux x86_64, or use a server that runs elsewhere: --triton-url HOST:PORT."
)
_STUB = "triton_python_backend_stub"
_SYSTEM_LIBRARIES = tuple(Path(place) for place in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/usr/lib64"))


@dataclass(frozen=True, slots=True)
class ServerInstall:
    """A runnable Triton.

    Attributes:
        binary: the server program.
        backends: folder for --backend-directory.
        path: folders that come first on the server's PATH, so that its stubs find this interpreter's packages.
        library_path: folders for LD_LIBRARY_PATH; empty unless this Python's library lies where no linker looks.
        version: of the wheel.
    """

    binary: Path
    backends: Path
    path: tuple[Path, ...]
    library_path: tuple[Path, ...]
    version: str


def find_server(cache_folder: Path, *, distribution: str = DISTRIBUTION) -> ServerInstall:
    """The wheel's server, its backend folder copied into `cache_folder` once per wheel and Python version.

    Args:
        cache_folder: where the copy goes.
        distribution: the installed package that holds the server.

    Raises:
        SetupError: no such package is installed here, or it has nothing for this platform or Python.
    """
    version, root = _wheel_root(distribution)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = find_stub(root, python)
    place = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    backends = cache_folder / f"triton-{version}-py{python}-{place}"
    if not (backends / "python" / _STUB).is_file():
        _copy_backends(root / "backends", stub, backends)
    return ServerInstall(
        binary=root / "bin" / "tritonserver",
        backends=backends,
        path=(Path(sysconfig.get_path("scripts")), Path(sys.executable).parent),
        library_path=_python_library_path(),
        version=version,
    )


def find_stub(root: Path, python: str) -> Path:
    """The Python backend's stub for a Python version such as "3.11"; raises SetupError when there is none."""
    stubs = root / "python_backend_stubs"
    stub = stubs / python / _STUB
    if not stub.is_file():
        known = sorted((path.parent.name for path in stubs.glob(f"*/{_STUB}")), key=lambda name: (len(name), name))
        raise SetupError(
            f"the embedded Triton has no part for Python {python}, only for {', '.join(known) or 'none'}",
            hint=f"Use one of those Pythons. {_OTHER_SERVER}",
        )
    return stub


def _wheel_root(name: str) -> tuple[str, Path]:
    """(version, folder with the server) of the wheel."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise SetupError(
            f"there is no embedded Triton on this machine ({platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}): the package {name} is not installed",
            hint=_OTHER_SERVER,
        ) from error
    root = Path(str(distribution.locate_file("pytriton/tritonserver")))
    if not os.access(root / "bin" / "tritonserver", os.X_OK):
        raise SetupError(
            f"{name} {distribution.version} holds no Triton for {platform.system()} {platform.machine()}",
            hint=_OTHER_SERVER,
        )
    return distribution.version, root


def _copy_backends(source: Path, stub: Path, target: Path) -> None:
    """All or nothing: a half copy is never seen, and two processes may do it at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        shutil.copytree(source, scratch, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        # A link, not a copy: the stub finds its libraries relative to where it really lies.
        (scratch / "python" / _STUB).symlink_to(stub)
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:
            if not (target / "python" / _STUB).is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _python_library_path() -> tuple[Path, ...]:
    """The stub is linked against libpython, which a Python built without a system prefix keeps beside itself."""
    folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")
    if not folder or not name or any((place / name).exists() for place in _SYSTEM_LIBRARIES):
        return ()
    return (Path(folder),) if ".so" in name and (Path(folder) / name).exists() else ()
