"""When stored items expire. PURE; `adapters.aws.dynamodb.writes` dates what it writes.

    item                          expires at (seconds since the epoch)
    the job's state, unfinished   its last write + retention + LONGEST_RUN_S + UNFINISHED_S
    anything else                 its write + retention + LONGEST_RUN_S

Nothing that a job at work has stored may go before the job is over, and when an item is written nobody knows how long
that will take: so each has LONGEST_RUN_S more than was asked for. A finished job's state is written with its summary,
after all commits, so it never goes before them. An unfinished one must outlive its commits, too: without it a job that
is resumed would begin at epoch 1 again, where commits of another plan may lie.
"""

from __future__ import annotations

from collections.abc import Mapping

from videojob.results.aggregate.document import Document
from videojob.results.stored.keys import JOB_KEY

EXPIRES_AT = "expires_at"
"""The attribute that the table's time to live is set to. No digest covers it."""

DAY_S = 86_400
LONGEST_RUN_S = 30 * DAY_S
"""How long a job may be at work, held or given up before it is resumed, and lose nothing of what it has stored."""
UNFINISHED_S = 365 * DAY_S


def expiry_s(sort_key: Document, now_s: float, retention_s: int) -> int:
    """When an item that is written now expires, in whole seconds since the epoch.

    Args:
        sort_key: of the item; the job's state is taken for unfinished.
        now_s: seconds since the epoch.
        retention_s: how long it is to be there at least after its job's end.
    """
    return int(now_s) + retention_s + LONGEST_RUN_S + (UNFINISHED_S if sort_key == JOB_KEY else 0)


def dated(item: Mapping[str, Document], now_s: float, retention_s: int | None) -> dict[str, Document]:
    """The item with the time at which it expires; as it is where items are kept (None)."""
    if retention_s is None:
        return dict(item)
    return {**item, EXPIRES_AT: expiry_s(item["SK"], now_s, retention_s)}
