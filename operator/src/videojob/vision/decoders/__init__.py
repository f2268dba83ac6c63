"""Box decoders: a model's output tensors -> boxes. Found by name through the entry points `videojob.box_decoders`."""

from videojob.vision.decoders.base import BoxDecoder
from videojob.vision.decoders.registry import create_decoder, decoder_names

__all__ = ["BoxDecoder", "create_decoder", "decoder_names"]
