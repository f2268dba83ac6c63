"""`make prices` as people call it: with Go's answer and AWS' answers played, on a copy of the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.price_servers import Answer, answer_server, json_refusal, price_list, spot_history, xml_refusal
from support.price_sources import product, spot_entry
from support.tree import ROOT
from videojob.adapters.files.package_data import offers, package_text

NAME = "ec2-us-east-1.csv"
MODULE = "github.com/aws/karpenter-provider-aws"
STAYS = f". {NAME} stays as it is.\n"
USD = {one.type.name: one.price.usd_per_h for one in offers().offers if one.capacity_type == "on-demand"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script, what it imports and the table."""
    data = tmp_path / "operator/src/videojob/data"
    data.mkdir(parents=True)
    shutil.copy(ROOT / "operator/src/videojob/data" / NAME, data)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/prices", tmp_path / "scripts")
    shutil.copytree(ROOT / "tools/prices", tmp_path / "tools/prices", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def table(clone: Path) -> str:
    return (clone / "operator/src/videojob/data" / NAME).read_text()


def prices(clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs without any program on the PATH but those of the folder bin, and without credentials."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, str(clone / "scripts/prices")],
        env=own | {"PATH": str(clone / "bin"), "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(clone)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def go_answers(clone: Path, answer: dict[str, str]) -> None:
    """Plays `go mod download -json`."""
    path = clone / "bin/go"
    (clone / "answer.json").write_text(json.dumps(answer))
    path.write_text(f"#!{sys.executable}\nprint(open({str(clone / 'answer.json')!r}).read())\n")
    path.chmod(0o755)


def module(clone: Path, usd: dict[str, Decimal]) -> dict[str, str]:
    """An archive of the module and what Go says of it."""
    listed = ", ".join(f'"{name}": {one:.6f}' for name, one in usd.items())
    head = "// generated at 2026-11-02T13:44:30Z for us-east-1"
    text = f'{head}\n\nvar X = {{\n\t"us-east-1": {{\n\t\t{listed},\n\t}},\n}}\n'
    path = clone / "module.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{MODULE}@v1.16.0/pkg/providers/pricing/zz_generated.pricing_aws.go", text)
    return {"Version": "v1.16.0", "Sum": "h1:x", "Zip": str(path)}


def test_the_table_gets_the_modules_prices_its_day_and_its_version(clone: Path) -> None:
    go_answers(clone, module(clone, USD | {"g6.xlarge": Decimal("0.7")}) | {"Error": "requires go >= 9.9"})
    done = prices(clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"g6.xlarge 0.8048 -> 0.7\n{NAME}: on demand as of 2026-11-02, 1 changed; spot as of 2025-05-28\n"
    )
    source = f"# on demand from: AWS' price list, as generated in {MODULE} v1.16.0\n"
    assert source in table(clone)


def test_without_the_module_one_line_says_so_and_the_table_stays(clone: Path) -> None:
    go_answers(clone, {"Error": f"{MODULE}@latest: module lookup disabled by GOPROXY=off"})
    done = prices(clone)
    assert done.returncode == 1
    assert done.stderr == (
        f"prices: {MODULE} latest cannot be fetched: {MODULE}@latest: module lookup disabled by GOPROXY=off{STAYS}"
    )
    assert table(clone) == package_text(NAME)


def test_without_go_one_line_says_so(clone: Path) -> None:
    done = prices(clone)
    assert (done.returncode, done.stderr) == (
        1,
        f"prices: Go is not on the PATH: install Go 1.26 or newer{STAYS}",
    )


def test_a_module_without_the_price_list_changes_nothing(clone: Path) -> None:
    answer = module(clone, USD)
    with zipfile.ZipFile(answer["Zip"], "w") as archive:
        archive.writestr("README.md", "moved")
    go_answers(clone, answer)
    done = prices(clone)
    assert done.returncode == 1
    assert f"{MODULE} v1.16.0 has no readable pkg/providers/pricing/zz_generated.pricing_aws.go" in done.stderr
    assert table(clone) == package_text(NAME)


def with_credentials(clone: Path, of_list: Answer, of_spot: Answer) -> subprocess.CompletedProcess[str]:
    def answer(action: str, parameters: dict[str, Any]) -> Answer:
        del parameters
        return of_list if action == "GetProducts" else of_spot

    with answer_server(answer) as server:
        return prices(clone, AWS_ENDPOINT_URL=server.url, AWS_ACCESS_KEY_ID="an-id", AWS_SECRET_ACCESS_KEY="a-secret")


def test_with_credentials_all_prices_are_those_of_aws(clone: Path) -> None:
    entries = [
        spot_entry("g6.xlarge", zone, usd, "2026-11-30T07:00:00.000Z") for zone, usd in (("a", "0.3"), ("b", "0.5"))
    ]
    listed = price_list([product(name, str(usd)) for name, usd in USD.items()])
    done = with_credentials(clone, listed, spot_history(entries))
    assert done.returncode == 0, done.stderr
    text = table(clone)
    assert "# on demand from: AWS' price list\n" in text
    assert "# spot from: EC2's current spot prices, of each zone of the region\n" in text
    assert any(line.startswith("g6.xlarge,") and ",0.8048,0.4,0.3,0.5," in line for line in text.splitlines())


def test_where_aws_refuses_spot_prices_the_tables_stay_and_one_line_says_so(clone: Path) -> None:
    listed = price_list([product(name, str(usd)) for name, usd in USD.items()])
    done = with_credentials(clone, listed, xml_refusal(403, "UnauthorizedOperation"))
    assert done.returncode == 0
    assert done.stderr == "prices: The permission ec2:DescribeSpotPriceHistory is missing (UnauthorizedOperation).\n"
    assert "# spot as of: 2025-05-28\n" in table(clone)


def test_where_aws_refuses_everything_nothing_is_written(clone: Path) -> None:
    done = with_credentials(clone, json_refusal(400, "AccessDeniedException"), xml_refusal(403, "AuthFailure"))
    refused = "prices: the permission pricing:GetProducts is missing (AccessDeniedException)"
    assert (done.returncode, done.stderr) == (1, f"{refused}; --without-aws does without{STAYS}")
