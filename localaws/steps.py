"""Showing what goes on: numbered steps with their seconds; a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

NOTE = "[dim]{task.fields[note]}[/]"
PLAIN_EVERY_SECONDS = 5.0
"""How often a step that takes long says so where there is no spinner."""


@dataclass
class Step:
    """A step under way: `note` says what it is doing, `result` what came of it."""

    title: str
    console: Console
    spinner: Progress | None = None
    result: str = ""
    started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return how long it has taken so far."""
        return time.monotonic() - self.started

    def note(self, text: str) -> None:
        """Show what is being done right now."""
        if self.spinner:
            self.spinner.update(self.spinner.task_ids[0], note=text)
        elif time.monotonic() - self._said >= PLAIN_EVERY_SECONDS:
            self._said = time.monotonic()
            self.console.print(f"      {self.seconds:5.1f} s  {escape(text)}", highlight=False)


@dataclass
class Steps:
    """The steps of one undertaking, `total` of them."""

    total: int
    console: Console = field(default_factory=lambda: Console(soft_wrap=True))
    number: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return the time since the first step."""
        return time.monotonic() - self.started

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Announce a step, and tell how it ended."""
        self.number += 1
        step = Step(f"[{self.number}/{self.total}] {title}".replace("[", r"\[", 1), self.console)
        try:
            with self._shown(step):
                yield step
        except BaseException:
            self._line("[red]✗[/]", step)
            raise
        self._line("[green]✓[/]", step)

    @contextmanager
    def _shown(self, step: Step) -> Iterator[None]:
        if not self.console.is_terminal:
            self.console.print(f"  {step.title} …", highlight=False)
            yield
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn(NOTE))
        with Progress(*columns, console=self.console, transient=True) as step.spinner:
            step.spinner.add_task(step.title, note="")
            yield

    def _line(self, mark: str, step: Step) -> None:
        result = f": {escape(step.result)}" if step.result else ""
        self.console.print(f"{mark} {step.title}{result}  [dim]{step.seconds:.1f} s[/]", highlight=False)
