"""Exports that no box decoder can read, known by their graph, and errors in the words of `videojob models add`."""

from __future__ import annotations

import re

from onnx import ModelProto

from videojob.errors import ModelSignatureMismatch, VideoJobError
from videojob.local.models.graph import shape_of
from videojob.local.models.metadata import ExportFacts

_PLUGIN = re.compile(r"(EfficientNMS|BatchedNMS|NMS|EfficientRotatedNMS|YoloLayer|BatchedNMSDynamic)\w*_TRT$")
_LIST_COLUMNS = (6, 7)
_WITHOUT_NMS = "Export it without NMS (Ultralytics: nms=False; YOLOv7: without --end2end and --include-nms): videojob "
_OTHER_TASKS = {
    "segment": "masks",
    "pose": "keypoints",
    "obb": "turned boxes",
}
# What config.pbtxt calls a thing, and what the command does. The order counts.
_WORDS = (
    (re.compile(r"\bSet (?=the parameter decoder_|decoder_)"), "Give "),
    (re.compile(r"\bset (?=the parameter decoder_|decoder_)"), "give "),
    (re.compile(r"(?:the parameter )?decoder_(\w+) to (\w+) or (\w+)"), r"--option \1=\2 or --option \1=\3"),
    (re.compile(r"(?:the parameter )?decoder_(\w+) to (\w+)"), r"--option \1=\2"),
    (re.compile(r"config\.pbtxt (says|declares)"), "the graph declares"),
    (re.compile(r"-1 stands for any length\."), "Export it with the shapes that it gives, or with free axes."),
    (re.compile(r"Add the parameter 'labels'"), "Give a file with one class name a line by --labels"),
    (
        re.compile(r"Name them in this order in the parameter 'outputs', with commas"),
        "Name them by --output, each once",
    ),
    (re.compile(r"Give one label for each class"), "Give one label for each class in the file of --labels"),
    (re.compile(r"the parameter '(?:decoder_)?labels'"), "--labels"),
    (re.compile(r"the parameter 'input_(\w+)'"), r"--\1"),
    (re.compile(r"the parameter 'pad_value'"), "--pad-value"),
    (re.compile(r"\bhas no option decoder_(\w+)"), r"has no option \1"),
    (re.compile(r"(?<=[ :,])decoder_(\w+) is (?=')"), r"--option \1 is "),
    (re.compile(r"^decoder_(\w+) is "), r"--option \1 is "),
    (re.compile(r"\bdecoder_(\w+)"), r"\1"),
)


def refuse_known(model: ModelProto, decoder: str, facts: ExportFacts) -> None:
    """Refuses what would run and mean something else, or would not run for a reason that ONNX Runtime does not tell.

    Raises:
        ModelSignatureMismatch: with the export that fits.
    """
    plugins = sorted({node.op_type for node in model.graph.node if _PLUGIN.search(node.op_type)})
    if plugins:
        raise ModelSignatureMismatch(
            f"the graph ends in {plugins[0]}, a plugin of TensorRT, which ONNX Runtime does not have",
            hint=f"{_WITHOUT_NMS}suppresses overlapping boxes itself.",
        )
    if decoder in ("yolo", "yolox") and facts.task in _OTHER_TASKS:
        raise ModelSignatureMismatch(
            f"the file says that the model is for the task {facts.task!r}: beside boxes it gives "
            f"{_OTHER_TASKS[facts.task]}, whose numbers would pass for class scores",
            hint="Export a model for the task 'detect'.",
        )
    if decoder in ("yolo", "yolox") and facts.task == "classify":
        raise ModelSignatureMismatch(
            "the file says that the model is for the task 'classify': it gives no boxes",
            hint="Give --decoder classification, with --option activation=none if its scores are 0 to 1.",
        )
    if decoder in ("yolo", "yolox"):
        _refuse_lists(model)


def _refuse_lists(model: ModelProto) -> None:
    """Boxes of all frames in one list: how many there are is not known before, and no axis is the frames'."""
    for value in model.graph.output:
        shape = shape_of(value)
        if len(shape) == 2 and shape[1] in _LIST_COLUMNS and not isinstance(shape[0], int):
            raise ModelSignatureMismatch(
                f"the output {value.name!r} has axes {shape}: the graph suppresses boxes itself and gives those of all "
                f"frames as one list",
                hint=f"{_WITHOUT_NMS}wants the boxes of each frame apart.",
            )


def in_words_of_the_command(error: VideoJobError, uri: str) -> VideoJobError:
    """The same error about the person's file: it spoke of config.pbtxt, which the command writes, not the person."""
    hint = str(error.as_dict()["hint"])
    return type(error)(
        _translated(error.message), uri=uri, hint=_translated(hint) if hint else None, retryable=error.retryable
    )


def _translated(text: str) -> str:
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text
