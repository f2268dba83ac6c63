"""`python -m tools.wording [FILE…]`: rejected phrases and names of these files, or of all that users and people
read.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tools.wording.table import Table, read_table
from tools.wording.texts import Name, Text, prose_texts, python_names, python_texts

ROOT = Path(__file__).resolve().parent.parent.parent
READ = (
    "operator/src",
    "charts",
    "docs",
    "examples",
    "scripts",
    "tests",
    "bench",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "Makefile",
)
"""What is read when no file is given, as far as git tracks it."""
PROSE = {".md", ".yaml", ".tpl", ".txt", ".html", ".sql", ""}


def findings(path: Path, table: Table) -> Iterator[str]:
    """One line per phrase or name of a file that the table rejects; nothing for other kinds of files."""
    source = path.read_text(encoding="utf-8") if path.suffix in PROSE | {".py"} else ""
    if path.suffix == ".py" or source.startswith("#!/usr/bin/env python3"):
        yield from _phrases(path, python_texts(source), table)
        if not _is_in(path, table.names_not_read):
            yield from _names(path, python_names(source), table)
    else:
        yield from _phrases(path, prose_texts(source), table)


def _phrases(path: Path, texts: Iterator[Text], table: Table) -> Iterator[str]:
    for text in texts:
        for row in table.phrases:
            match = row.pattern.search(text.text)
            if match is not None:
                shown = text.text[max(0, match.start() - 30) : match.end() + 30]
                yield f'{path}:{text.line}: "{match[0]}" in "…{shown}…": say {row.say}'


def _names(path: Path, names: Iterator[Name], table: Table) -> Iterator[str]:
    for name in sorted(set(names), key=lambda one: (one.line, one.name)):
        for row in table.names:
            size = len(row.words)
            spans = [name.words[at : at + size] for at in range(len(name.words) - size + 1)]
            if row.words in spans and name.name not in row.allowed:
                yield f'{path}:{name.line}: the name {name.name} has "{"_".join(row.words)}": use {row.say}'


def _is_in(path: Path, places: Iterable[Path]) -> bool:
    """Whether a file is one of these places of the repository, or in one."""
    return any(path.resolve().is_relative_to(ROOT / place) for place in places)


def tracked_files(table: Table) -> list[Path]:
    """Files of `READ`, but for those that the table leaves out."""
    listed = subprocess.run(["git", "ls-files", "-z", *READ], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in paths if not _is_in(path, table.not_read)]


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 when something is found."""
    table = read_table()
    paths = [Path(name) for name in arguments] or tracked_files(table)
    found = [line for path in paths for line in findings(path, table)]
    for line in found:
        print(line.replace(f"{ROOT}/", ""))
    if found:
        print(f"{len(found)} rejected phrases and names; tools/wording/rejected.toml has the table")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
