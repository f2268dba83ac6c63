"""The bytes of a video: a whole file, or one that is filled as it is read; and which format they are."""
