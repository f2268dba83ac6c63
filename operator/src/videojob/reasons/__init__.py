"""Every reason that a job, a video or a command can show: what it means and what to do, in each place.

A reason is the one word in the STATUS column of `kubectl get videojobs`, and the first word of an error's message.
Errors, statuses, the reference page and the troubleshooting guide take meaning and advice from here, and nowhere else.

row                            a row of the table, and its kinds
states, inputs, models, running   the rows
table                          all rows by word
here                           which place this process is about
guide                          the rows as pages
"""

from __future__ import annotations

from videojob.reasons.here import here, settle_on
from videojob.reasons.row import Phase, Reason, Where
from videojob.reasons.table import REASONS

__all__ = ["REASONS", "Phase", "Reason", "Where", "here", "settle_on"]
