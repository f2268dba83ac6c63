"""Triton: frames over gRPC, and model repositories on disk."""
