"""Numbered steps with their duration: a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.status import Status

NOTE_INTERVAL_SECONDS = 5.0
"""The minimum time between two notes of a step where there is no spinner."""


@dataclass
class Step:
    """A running step. `result` is shown at its end."""

    title: str
    console: Console
    status: Status | None = None
    result: str = ""
    started: float = field(default_factory=time.monotonic)
    note_interval: float = NOTE_INTERVAL_SECONDS
    _noted: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return the duration so far."""
        return time.monotonic() - self.started

    def note(self, text: str) -> None:
        """Show the current action of the step."""
        if self.status:
            self.status.update(f"{self.title}  [dim]{escape(text)}[/]")
        elif time.monotonic() - self._noted >= self.note_interval:
            self._noted = time.monotonic()
            self.console.print(f"      {self.seconds:5.1f} s  {escape(text)}", highlight=False)


@dataclass
class Steps:
    """The steps of a command, `total` of them."""

    total: int
    console: Console = field(default_factory=lambda: Console(soft_wrap=True))
    number: int = 0
    started: float = field(default_factory=time.monotonic)
    note_interval: float = NOTE_INTERVAL_SECONDS

    @property
    def seconds(self) -> float:
        """Return the time since the first step."""
        return time.monotonic() - self.started

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show the begin and the end of a step."""
        self.number += 1
        title = f"[{self.number}/{self.total}] {title}".replace("[", r"\[", 1)
        step = Step(title, self.console, note_interval=self.note_interval)
        try:
            with self._spinner(step):
                yield step
        except BaseException:
            self._print_end("[red]✗[/]", step)
            raise
        self._print_end("[green]✓[/]", step)

    @contextmanager
    def _spinner(self, step: Step) -> Iterator[None]:
        if not self.console.is_terminal:
            self.console.print(f"  {step.title} …", highlight=False)
            yield
            return
        with self.console.status(step.title) as step.status:
            yield

    def _print_end(self, mark: str, step: Step) -> None:
        result = f": {escape(step.result)}" if step.result else ""
        self.console.print(f"{mark} {step.title}{result}  [dim]{step.seconds:.1f} s[/]", highlight=False)
