"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from bayesmeta.cli.app import app

from .markdown import choices, table

SIMPLE = {Path: "PATH", str: "TEXT", int: "INTEGER", float: "NUMBER"}


def command_line_page() -> str:
    """Return the reference: one section per command, with its usage, arguments and options."""
    group: Any = typer.main.get_command(app)
    return "\n".join(_section(name, command) for name, command in group.commands.items())


def _section(name: str, command: Any) -> str:
    types = get_type_hints(inspect.unwrap(command.callback))
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    usage = " ".join(
        [f"bayesmeta {name}", *(_usage(argument) for argument in arguments), *["[OPTIONS]"] * bool(options)]
    )
    parts = [f"## `bayesmeta {name}`\n", f"{_sentence(inspect.cleandoc(command.help))}\n", f"```text\n{usage}\n```\n"]
    if arguments:
        rows = [[f"`{_metavar(argument)}`", _sentence(argument.help)] for argument in arguments]
        parts.append(table(["Argument", "Meaning"], rows))
    if options:
        rows = [
            [_spellings(option), _value(option, types[option.name]), _default(option), _sentence(option.help)]
            for option in options
        ]
        parts.append(table(["Option", "Value", "Default", "Meaning"], rows))
    return "\n".join(parts)


def _metavar(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _usage(argument: Any) -> str:
    return _metavar(argument) if argument.required else f"[{_metavar(argument)}]"


def _spellings(option: Any) -> str:
    return ", ".join(f"`{spelling}`" for spelling in (*option.opts, *option.secondary_opts))


def _value(option: Any, annotation: Any) -> str:
    if option.is_flag:
        return "flag"
    if option.metavar:
        return f"`{option.metavar}`"
    for kind in _kinds(annotation):
        if issubclass(kind, Enum):
            return choices(member.value for member in kind)
        if kind in SIMPLE:
            return f"`{SIMPLE[kind]}`"
    raise TypeError(f"no word for the type {annotation} of {option.name}")


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the classes in an annotation such as ``list[Path] | None``."""
    inner = get_args(annotation)
    if not inner and annotation is not type(None):
        yield annotation
    for part in inner:
        yield from _kinds(part)


def _default(option: Any) -> str:
    value = option.default
    if value is None or value is False or value in ([], ()):
        return ""
    if option.is_flag:
        return f"`{option.opts[0]}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _sentence(text: str) -> str:
    """Return help text as Markdown: options as code, and what looks like markup as it is."""
    parts = re.split(r"(`[^`]*`)", re.sub(r"(?<![\w`-])--[a-z][a-z-]*", r"`\g<0>`", text))
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
        for part in parts
    )
