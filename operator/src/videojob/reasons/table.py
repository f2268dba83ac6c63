"""The one table of reasons."""

from __future__ import annotations

from videojob.reasons.inputs import INPUTS
from videojob.reasons.models import MODELS
from videojob.reasons.row import Reason
from videojob.reasons.running import RUNNING
from videojob.reasons.states import STATES

REASONS: dict[str, Reason] = {one.word: one for one in (*STATES, *INPUTS, *MODELS, *RUNNING)}
"""By word, in the order of a job's life."""
