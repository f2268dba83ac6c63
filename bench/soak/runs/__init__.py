"""The runs: each module has `rows() -> Iterator[Row]`, and gives a row as soon as it is measured."""
