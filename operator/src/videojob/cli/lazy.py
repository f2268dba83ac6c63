"""Commands whose modules are imported when they are run, not when the program starts.

A group has a table of `CommandEntry`. Help and completion of the group take names and summaries from the table; only
the command that was asked for is imported, with all that it needs. Pods start by the thousand, and each pays for what
it imports.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from videojob.cli.failures import Commands
from videojob.errors import SetupError


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command that is not imported yet.

    Attributes:
        name: as it is typed.
        module: where it is.
        attribute: a function that typer can make a command of, or a `typer.Typer` of several commands.
        summary: the first paragraph of its help.
        hidden: left out of help and completion.
        extra: extra of the package that its module needs; "" for none.
    """

    name: str
    module: str
    attribute: str
    summary: str
    hidden: bool = False
    extra: str = ""

    def load(self) -> Any:
        """The command itself.

        Raises:
            SetupError: the packages of its extra are not installed.
        """
        try:
            found = getattr(importlib.import_module(self.module), self.attribute)
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            raise SetupError(
                f"`videojob {self.name}` needs the Python package {error.name}, which is not installed",
                hint=f"pip install 'videojob[{self.extra}]'",
            ) from error
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(self.name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name, command.hidden = self.name, self.hidden
        return command

    def stand_in(self) -> TyperCommand:
        """A command with the name and the summary, for lists."""
        return TyperCommand(self.name, help=self.summary, hidden=self.hidden)


class LazyCommands(Mapping[str, Any]):
    """The commands of a table by their names, each imported when it is asked for."""

    def __init__(self, entries: Sequence[CommandEntry]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Any:
        return self._entries[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def stand_ins(self) -> dict[str, Any]:
        """All of them, imported none."""
        return {name: entry.stand_in() for name, entry in self._entries.items()}


class LazyGroup(Commands):
    """A group whose commands are those of `ENTRIES`."""

    ENTRIES: Sequence[CommandEntry] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._lazy = LazyCommands(self.ENTRIES)
        self.commands: Any = self._lazy

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """All names, in the table's order."""
        return list(self._lazy)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Help of the group, with the table's summaries."""
        self._listing().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Names of commands and options that begin so."""
        listing = self._listing()
        return listing.shell_complete(type(ctx)(listing, info_name=ctx.info_name), incomplete)

    def _listing(self) -> TyperGroup:
        """This group with stand-ins for its commands."""
        return TyperGroup(
            name=self.name,
            help=self.help,
            params=self.params,
            commands=self._lazy.stand_ins(),
            rich_markup_mode=self.rich_markup_mode,
        )
