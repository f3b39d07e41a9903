# SPDX-License-Identifier: Apache-2.0
"""Puts the demo on a terminal: colours where there is one, columns, rules and ticks."""

import os
import re
import shutil
import sys
import textwrap

COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
GUTTER = " │ "
MARGIN = "   "


def wants_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


class Screen:
    def __init__(self) -> None:
        self.colour = wants_colour()
        self.width = max(72, min(100, shutil.get_terminal_size((100, 40)).columns))
        self.failed: list[str] = []

    def paint(self, text: str, *styles: str) -> str:
        if not self.colour or not styles:
            return text
        return f"\x1b[{';'.join(COLOURS[s] for s in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def title(self, text: str, aside: str = "") -> None:
        self.line()
        fill = "─" * max(3, self.width - len(text) - len(aside) - (3 if aside else 1))
        end = f" {self.paint(aside, 'dim')}" if aside else ""
        self.line(f"{self.paint(text, 'bold')} {self.paint(fill, 'dim')}{end}")
        self.line()

    def text(self, text: str, *styles: str) -> None:
        for part in textwrap.wrap(text, self.width - len(MARGIN)):
            self.line(MARGIN + self.paint(part, *styles))

    def row(self, name: str, what: str, aside: str = "") -> None:
        """A name, what it is, and a remark, in three columns."""
        head = f"{MARGIN}{self.paint(f'{name:<17}', 'cyan')}"
        self.line(f"{head}{what:<28}{self.paint(aside, 'dim')}" if aside else head + what)

    def code(self, source: str) -> None:
        for part in textwrap.dedent(source).rstrip().split("\n"):
            self.line(f"{MARGIN}{self.paint('┃', 'blue')} {part}")

    def check(self, good: bool, text: str) -> None:
        """One thing that must be so; the demo fails when it is not."""
        mark = self.paint("✓", "green", "bold") if good else self.paint("✗", "red", "bold")
        first, *rest = textwrap.wrap(text, self.width - len(MARGIN) - 2)
        self.line(f"{MARGIN}{mark} {first}")
        for part in rest:
            self.line(f"{MARGIN}  {part}")
        if not good:
            self.failed.append(text)

    def side_by_side(self, titles: tuple[str, str], left: list[str], right: list[str]) -> None:
        """Two columns; what does not fit is cut with an ellipsis."""
        room = (self.width - len(MARGIN) - len(GUTTER)) // 2
        bar = self.paint(GUTTER, "dim")
        heads = [self.paint(f"{t:<{room}}", "bold") for t in titles]
        self.line(f"{MARGIN}{heads[0]}{bar}{heads[1].rstrip()}")
        self.line(MARGIN + self.paint("─" * (room + 1) + "┼" + "─" * (room + 1), "dim"))
        count = max(len(left), len(right))
        for one, two in zip(pad(left, count), pad(right, count), strict=True):
            self.line(f"{MARGIN}{fit(one, room)}{bar}{fit(two, room, False)}".rstrip())
        self.line()


def pad(lines: list[str], count: int) -> list[str]:
    return lines + [""] * (count - len(lines))


def fit(text: str, room: int, fill: bool = True) -> str:
    """Cuts or fills to so many columns, counting no escape sequence."""
    seen = len(ESCAPE.sub("", text))
    if seen <= room:
        return text + " " * (room - seen if fill else 0)
    kept, width = "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if ESCAPE.fullmatch(part):
            kept += part
        else:
            kept += part[: room - 1 - width]
            width += len(part[: room - 1 - width])
            if width == room - 1:
                break
    return kept + "…" + ("\x1b[0m" if "\x1b[" in kept else "")
