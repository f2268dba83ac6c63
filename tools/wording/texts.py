"""The texts and names of a file, each with its line."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_BLANK = re.compile(r"\s+")
_LINE_START = re.compile(r"^[ \t]*(?:#+:?|//|\*|>|\{#|\|)?[ \t]*", re.MULTILINE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it reads in one line, and the line of the file where it begins."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier where it gets its meaning: a definition, a parameter, an assignment."""

    line: int
    name: str

    @property
    def words(self) -> tuple[str, ...]:
        """`let_go` and `LetGo` are both ("let", "go")."""
        return tuple(word.lower() for word in _WORD.findall(self.name))


def python_texts(source: str) -> Iterator[Text]:
    """String literals, docstrings and comments of Python source; placeholders of f-strings become "…".

    Raises:
        SyntaxError: the source is not Python.
    """
    yield from _strings(ast.parse(source))
    yield from _comments(source)


def _strings(node: ast.AST) -> Iterator[Text]:
    """Each literal once: those inside the placeholders of an f-string are texts of their own."""
    match node:
        case ast.Constant(value=str(value), lineno=line):
            yield Text(line, _plain(value))
        case ast.JoinedStr(values=parts, lineno=line):
            yield Text(line, _plain("".join(_part(part) for part in parts)))
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    yield from _strings(part)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _strings(child)


def _part(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


def _comments(source: str) -> Iterator[Text]:
    """Comments on consecutive lines are one text."""
    first, last, words = 0, -1, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, text = token.start[0], token.string.lstrip("#: ")
        if line == last + 1:
            words = f"{words} {text}"
        else:
            if words:
                yield Text(first, _plain(words))
            first, words = line, text
        last = line
    if words:
        yield Text(first, _plain(words))


def python_names(source: str) -> Iterator[Name]:
    """Names that the source defines: functions, classes, parameters, variables, attributes, imports under a new name.

    Raises:
        SyntaxError: the source is not Python.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield Name(node.lineno, name)
            case ast.arg(arg=name, lineno=line):
                yield Name(line, name)
            case ast.Name(id=name, ctx=ast.Store(), lineno=line):
                yield Name(line, name)
            case ast.Attribute(attr=name, ctx=ast.Store(), lineno=line):
                yield Name(line, name)
            case ast.MatchAs(name=str(name), lineno=line) | ast.ExceptHandler(name=str(name), lineno=line):
                yield Name(line, name)
            case ast.alias(asname=str(name), lineno=line):
                yield Name(line, name)
            case _:
                pass


def prose_texts(text: str) -> Iterator[Text]:
    """Paragraphs of Markdown, YAML comments and templates: lines up to a blank one, without marks before them."""
    line = 1
    for paragraph in re.split(r"(\n[ \t#>]*\n)", text):
        if paragraph.strip("#> \t\n"):
            yield Text(line, _plain(_LINE_START.sub("", paragraph)))
        line += paragraph.count("\n")


def _plain(text: str) -> str:
    return _BLANK.sub(" ", text).strip()
