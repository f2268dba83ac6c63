"""What this machine says of itself."""

from __future__ import annotations

import re
from pathlib import Path

_DMI = Path("/sys/devices/virtual/dmi/id")
_AMAZON = "Amazon EC2"
_TYPE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")


def instance_type(dmi: Path = _DMI) -> str:
    """Its EC2 instance type, as in "c7i.xlarge"; "" on other machines, and where containers may not read it.

    A container reads it where the machine does, without a right in Kubernetes and without the instance's metadata
    service, which pods often cannot reach.

    Args:
        dmi: the folder with what the firmware tells.
    """
    try:
        vendor, product = ((dmi / name).read_text("utf-8").strip() for name in ("sys_vendor", "product_name"))
    except (OSError, UnicodeDecodeError):
        return ""
    return product if vendor == _AMAZON and _TYPE.fullmatch(product) else ""
