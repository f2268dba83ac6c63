"""On-demand prices from Karpenter's AWS provider, which has AWS' price list as generated Go code.

Nothing of it is compiled or run: the text of one file is read from the module's archive.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

from tools.prices.table import OnDemand, PricesError

MODULE = "github.com/aws/karpenter-provider-aws"
FILE = "pkg/providers/pricing/zz_generated.pricing_aws.go"
_DOWNLOAD_TIMEOUT_S = 600
_STATED = re.compile(r"^// generated at (\d{4}-\d{2}-\d{2})T\S+ for (\S+)$", re.MULTILINE)
_REGION = re.compile(r'^\t"([a-z0-9-]+)": \{$', re.MULTILINE)
_PRICE = re.compile(r'"([a-z0-9-]+\.[a-z0-9-]+)": (\d+(?:\.\d+)?)')


def parse(text: str, source: str) -> OnDemand:
    """The prices of the region for which the file was generated.

    Args:
        text: of the file.
        source: its name for people.

    Raises:
        PricesError: it is not such a file.
    """
    stated = _STATED.search(text)
    if stated is None:
        raise PricesError(f"{source} does not say when and for which region its prices were generated")
    day, region = date.fromisoformat(stated[1]), stated[2]
    blocks = {one[1]: text[one.end() :].partition("\n\t},")[0] for one in _REGION.finditer(text)}
    usd_per_h = {name: Decimal(usd) for name, usd in _PRICE.findall(blocks.get(region, ""))}
    if not usd_per_h:
        raise PricesError(f"{source} has no prices of {region}")
    return OnDemand(usd_per_h, region, day, source)


def fetch(version: str) -> OnDemand:
    """The prices of a version of the module, which Go downloads and checks against its database of hashes.

    Args:
        version: as Go writes it, or "latest".

    Raises:
        PricesError: Go is missing, or the module cannot be brought, or has no such file.
    """
    found, archive = _downloaded(version)
    try:
        with zipfile.ZipFile(archive) as module:
            text = module.read(f"{MODULE}@{found}/{FILE}").decode()
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise PricesError(f"{MODULE} {found} has no readable {FILE}: {error}") from error
    return parse(text, f"AWS' price list, as generated in {MODULE} {found}")


def _downloaded(version: str) -> tuple[str, Path]:
    """The version found, and the module's archive."""
    go = shutil.which("go")
    if go is None:
        raise PricesError("Go is not on the PATH: install Go 1.26 or newer")
    try:
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{MODULE}@{version}"],
            env=os.environ | {"GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"},
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PricesError(f"{MODULE} {version} cannot be fetched: {error}") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"Error": done.stderr.strip() or "Go said nothing"}
    # A module that asks for a newer Go is an error, too, but its archive has been checked by then, and none of it is
    # compiled here.
    if not answer.get("Sum") or not answer.get("Zip"):
        why = " ".join(str(answer.get("Error", "Go named no archive")).split())
        raise PricesError(f"{MODULE} {version} cannot be fetched: {why}")
    return str(answer["Version"]), Path(answer["Zip"])
