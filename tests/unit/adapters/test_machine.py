"""What a machine says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from videojob.adapters.machine import instance_type


@pytest.mark.parametrize(
    ("vendor", "product", "found"),
    [
        ("Amazon EC2", "c7i.xlarge", "c7i.xlarge"),
        ("Amazon EC2", "u-6tb1.112xlarge", "u-6tb1.112xlarge"),
        ("Xen", "HVM domU", ""),
        ("Amazon EC2", "<script>", ""),
    ],
)
def test_the_firmware_of_ec2_tells_the_instance_type(tmp_path: Path, vendor: str, product: str, found: str) -> None:
    (tmp_path / "sys_vendor").write_text(f"{vendor}\n")
    (tmp_path / "product_name").write_text(f"{product}\n")
    assert instance_type(tmp_path) == found


def test_nothing_tells_it(tmp_path: Path) -> None:
    assert instance_type(tmp_path / "not there") == ""
