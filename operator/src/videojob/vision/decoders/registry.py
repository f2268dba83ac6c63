"""Decoders by name. A package adds one by an entry point in the group `videojob.box_decoders`.

The entry point names a callable that takes the `ModelContract` and returns a `BoxDecoder`; it raises
ModelSignatureMismatch when the contract's options or outputs are not what it needs.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from videojob.errors import ModelSignatureMismatch
from videojob.vision.decoders.base import BoxDecoder
from videojob.vision.tensors import ModelContract

ENTRY_POINT_GROUP = "videojob.box_decoders"


def decoder_names() -> tuple[str, ...]:
    """Names of all installed decoders, ascending."""
    return tuple(sorted(entry_points(group=ENTRY_POINT_GROUP).names))


def create_decoder(contract: ModelContract) -> BoxDecoder:
    """The decoder that a model's description asks for.

    Raises:
        ModelSignatureMismatch: no such decoder is installed, or it cannot read this model.
    """
    found = tuple(entry_points(group=ENTRY_POINT_GROUP, name=contract.decoder))
    if not found:
        raise ModelSignatureMismatch(
            f"no box decoder is called {contract.decoder!r}",
            uri=contract.name,
            hint=f"Installed are: {', '.join(decoder_names())}. Others come as packages with an entry point in the "
            f"group {ENTRY_POINT_GROUP}.",
        )
    if len({point.value for point in found}) > 1:
        places = ", ".join(sorted(point.value for point in found))
        raise ModelSignatureMismatch(
            f"several packages bring a box decoder {contract.decoder!r} ({places})",
            uri=contract.name,
            hint="Uninstall all but one.",
        )
    decoder: BoxDecoder = found[0].load()(contract)
    return decoder
