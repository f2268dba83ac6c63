"""The static table with newer prices: its types and their sizes stay, prices and dates change. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import zip_longest

from videojob.planning.cost.annotated_csv import read_table
from videojob.planning.cost.source_state import no_price

_PLACES = Decimal("0.000001")
_SHOWN = 5


class PricesError(Exception):
    """The table cannot be made current; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """US dollars per hour by instance type.

    Attributes:
        region, day: where and when they held. source: whose they are, for the table's comment.
    """

    usd_per_h: Mapping[str, Decimal]
    region: str
    day: date
    source: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Average, least and most US dollars per hour of a region's zones, by instance type; otherwise as `OnDemand`."""

    usd_per_h: Mapping[str, tuple[Decimal, Decimal, Decimal]]
    day: date
    source: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The new text of the table, and a clause for each price on demand that is another one."""

    text: str
    changes: tuple[str, ...]


def refreshed(text: str, on_demand: OnDemand, spot: Spot | None = None) -> Refreshed:
    """The table with these prices.

    A spot price that is not below the new on-demand price is left out: the share that is usual in the family stands in.

    Args:
        text: of the table as it is.
        on_demand: must have a price for each of its types.
        spot: in place of all spot prices of the table; None keeps these with their date.

    Raises:
        PricesError: a type has no price, or one that no type can have; or the prices are another region's, or older.
    """
    table = read_table(text)
    if on_demand.region != table.fact("region"):
        raise PricesError(f"the prices are of {on_demand.region}, and the table is of {table.fact('region')}")
    if on_demand.day.isoformat() < table.fact("on demand as of"):
        raise PricesError(f"the prices are of {on_demand.day}, and the table is of {table.fact('on demand as of')}")
    missing = [row["instance_type"] for row in table.rows if row["instance_type"] not in on_demand.usd_per_h]
    if missing:
        raise PricesError(
            f"{on_demand.source} has no price of {_some(missing)}: where AWS does not offer them any more, remove "
            "their rows from the table"
        )
    rows = [_row(row, on_demand, spot) for row in table.rows]
    changes = [
        f"{old['instance_type']} {old['on_demand_usd_per_hour']} -> {new['on_demand_usd_per_hour']}"
        for old, new in zip(table.rows, rows, strict=True)
        if Decimal(old["on_demand_usd_per_hour"]) != Decimal(new["on_demand_usd_per_hour"])
    ]
    facts = {"on demand as of": on_demand.day.isoformat(), "on demand from": on_demand.source}
    if spot is not None:
        facts |= {"spot as of": spot.day.isoformat(), "spot from": spot.source}
    return Refreshed("".join([*_comments(text, facts), _csv(rows)]), tuple(changes))


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _row(old: Mapping[str, str], on_demand: OnDemand, spot: Spot | None) -> dict[str, str]:
    name = old["instance_type"]
    usd = on_demand.usd_per_h[name]
    if why := no_price(usd, Decimal(old["on_demand_usd_per_hour"])):
        raise PricesError(f"the price of {name} in {on_demand.source} is none: {why}")
    new = dict(old) | {"on_demand_usd_per_hour": _written(usd)}
    columns = ("spot_usd_per_hour", "spot_min_usd_per_hour", "spot_max_usd_per_hour")
    if spot is not None:
        figures = spot.usd_per_h.get(name, ())
        if why := next((why for one in figures if (why := no_price(one, usd))), ""):
            raise PricesError(f"the spot price of {name} is none: {why}")
        new |= dict(zip_longest(columns, map(_written, figures), fillvalue=""))
    if new[columns[0]] and Decimal(new[columns[0]]) >= usd:
        new |= dict.fromkeys(columns, "")
    return new


def _written(usd: Decimal) -> str:
    return f"{usd.quantize(_PLACES).normalize():f}"


def _comments(text: str, facts: Mapping[str, str]) -> Iterator[str]:
    """The lines above the columns, with what changed in them."""
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        stated = re.match(r"# ([a-z ]+): ", line)
        yield f"# {stated[1]}: {facts[stated[1]]}\n" if stated and stated[1] in facts else f"{line}\n"


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
