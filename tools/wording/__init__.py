"""A lint of texts and names: it finds phrases that the glossary rejects, and says what to write instead."""
