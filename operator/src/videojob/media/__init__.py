"""Video files: probe, decode, sample, gate. PyAV is used in the decoder process only, which has no network."""
