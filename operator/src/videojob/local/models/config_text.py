"""Writes the config.pbtxt of an added model, with the reasons beside the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videojob.errors import ModelSignatureMismatch
from videojob.printable import printable


@dataclass(frozen=True, slots=True)
class TensorText:
    """One tensor as config.pbtxt has it: `dims` without the batch axis, unless the model takes no batches."""

    name: str
    data_type: str
    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConfigText:
    """What goes into the file.

    Attributes:
        name: of the model. origin: name of the file it was made from.
        max_batch: frames per execution; 0 for a model without a free batch axis.
        frames: the input. outputs: all of the graph's.
        preprocessing: what the graph does with pixels itself, for the reader.
        parameters: see `vision.contract`.
    """

    name: str
    origin: str
    max_batch: int
    frames: TensorText
    outputs: Sequence[TensorText]
    preprocessing: str
    parameters: Mapping[str, str]

    def __str__(self) -> str:
        outputs = ",\n".join(_tensor(output) for output in self.outputs)
        parameters = "\n".join(
            f"parameters {{ key: {quoted(key)} value {{ string_value: {quoted(value)} }} }}"
            for key, value in self.parameters.items()
        )
        origin = printable(self.origin)
        return f"""\
# {self.name}, added from {origin} by `videojob models add`. Yours to edit; `videojob models show` checks it.
name: {quoted(self.name)}
backend: "onnxruntime"

{_BATCHED if self.max_batch else _ONE_BY_ONE}
max_batch_size: {self.max_batch}

# Frames come as decoded, one byte per channel. In the graph: {self.preprocessing}.
input [
{_tensor(self.frames)}
]
output [
{outputs}
]
{_BATCHING if self.max_batch else ""}
# How pixels go in and how boxes come out; `labels` has the lines of labels.txt.
{parameters}
"""


_BATCHED = """\
# Frames in one execution. Larger ones help a GPU until it is busy; a CPU is fastest with 1 to 4, and the embedded
# server cuts batches for it."""

_ONE_BY_ONE = """\
# The graph takes one frame only: its batch axis is fixed. Exported with a free one, a GPU would run it several times
# as fast."""

_BATCHING = """
# Workers keep twice the batch in flight, so the delay only matters at the start and end of a job. The queue is bounded:
# a server that falls behind says so, and workers back off.
dynamic_batching {
  max_queue_delay_microseconds: 2000
  default_queue_policy {
    timeout_action: REJECT
    max_queue_size: 1024
  }
}
"""


def quoted(text: str) -> str:
    """A string as protobuf's text format takes it; its escapes are those of JSON for all that is in such a file."""
    if not text.isascii() or not text.isprintable():
        raise ModelSignatureMismatch(
            f"{text!r} cannot stand in config.pbtxt", hint="Use letters, digits and punctuation."
        )
    return json.dumps(text)


def labels_text(labels: Sequence[str]) -> str:
    """The parameter `labels`: names with commas, or JSON where a name would not survive that."""
    plain = ",".join(labels)
    simple = plain.isascii() and all(label and "," not in label and label == label.strip() for label in labels)
    return plain if simple and not plain.startswith("[") else json.dumps(list(labels))


def _tensor(tensor: TensorText) -> str:
    dims = ", ".join(map(str, tensor.dims))
    return f"  {{\n    name: {quoted(tensor.name)}\n    data_type: TYPE_{tensor.data_type}\n    dims: [ {dims} ]\n  }}"
