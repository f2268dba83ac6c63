"""What this machine gives: cores within a container's quota, one run per output folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from videojob.errors import SetupError
from videojob.local.host import cpu_quota, sole_use, usable_cpus


@pytest.mark.parametrize(
    ("cpu_max", "quota_us", "period_us", "cores"),
    [
        ("200000 100000", "", "", 2.0),
        ("50000 100000", "", "", 0.5),
        ("max 100000", "", "", None),
        ("", "150000", "100000", 1.5),
        ("", "-1", "100000", None),
        ("", "", "", None),
        ("nonsense", "", "", None),
    ],
)
def test_a_containers_quota_is_read_from_either_version_of_control_groups(
    cpu_max: str, quota_us: str, period_us: str, cores: float | None
) -> None:
    assert cpu_quota(cpu_max, quota_us, period_us) == cores


def test_there_is_always_a_core() -> None:
    assert usable_cpus() >= 1


def test_a_second_run_in_the_same_folder_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with sole_use(folder), pytest.raises(SetupError, match="another run") as caught, sole_use(folder):
        pass
    assert caught.value.retryable
    with sole_use(folder):
        assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot be written to") as caught, sole_use(tmp_path / "file" / "out"):
        pass
    assert caught.value.uri == str(tmp_path / "file" / "out")
