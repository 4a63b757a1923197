"""Print answers: tables for people, JSON for scripts. Off a terminal, nothing is wrapped, cut or coloured."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 100_000


def console() -> Console:
    """Return the console of standard output."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL, force_terminal=False, color_system=None)


def print_answer(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print single values first, then a table for each list of rows."""
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    output = console()
    tables = {name: value for name, value in answer.items() if _is_table(value)}
    values = {name: value for name, value in answer.items() if name not in tables}
    if values:
        _print(output, _values(values))
    for name, rows in tables.items():
        output.print(Text(f"\n{_label(name)}", style="bold"))
        print_rows([list(row.values()) for row in rows], list(rows[0]), output=output)


def print_rows(rows: Sequence[Any], columns: Sequence[str], *, title: str = "", output: Console | None = None) -> None:
    """Print a table. Numbers are aligned to the right, NULL is empty."""
    output = output or console()
    if title:
        output.print(Text(f"\n{_label(title)}" + ("" if rows else ": none"), style="bold"))
    if not rows and title:
        return
    table = Table(box=box.SIMPLE_HEAD if output.is_terminal else None, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(Text(_label(column)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text_of(value)) for value in row))
    _print(output, table)


def text_of(value: object) -> str:
    """Return the text of a value of JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case []:
            return "-"
        case list():
            return ", ".join(map(text_of, value))
        case dict():
            return ", ".join(f"{_label(str(name))} {text_of(item)}" for name, item in value.items())
    return str(value)


def _values(values: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        if isinstance(value, dict):
            for key, item in value.items():
                table.add_row(Text(f"{_label(name)} {_label(key)}"), Text(text_of(item)))
        else:
            table.add_row(Text(_label(name)), Text(text_of(value)))
    return table


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _label(name: str) -> str:
    return name.replace("_", " ")


def _print(output: Console, table: Table) -> None:
    """Print a table. A pipe gets no spaces at the ends of lines."""
    if output.is_terminal:
        output.print(table)
        return
    with output.capture() as capture:
        output.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))
