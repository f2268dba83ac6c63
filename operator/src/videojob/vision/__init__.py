"""PURE array work between pixels and boxes: geometry, box decoders, suppression, tracking. No I/O, no model."""
