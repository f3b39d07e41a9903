# SPDX-License-Identifier: Apache-2.0
"""The figures with a bar as an SVG: a row each, as a ratio to nginx, or to the bar itself where
nginx has no such figure. It follows the reader's light or dark scheme; the two colours (of Okabe
and Ito's palette) and their lightness can be told apart by everyone."""

from __future__ import annotations

from html import escape

from bench.bars import BARS, Bar
from bench.results import Results
from bench.table import SHOWN, VERDICTS, number

WIDTH, LEFT, RIGHT = 920, 372, 160
ROW, THICK, TOP, FOOT = 46, 13, 92, 84
PLOT = WIDTH - LEFT - RIGHT
MOST = 3.0  # the end of the scale; what is longer is cut and says its value
OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    'aria-labelledby="t d">'
)
FOOTNOTE = (
    "1 × is nginx without buffering in the same run; in the last five rows it is the bar itself. "
    "Shorter is better, but for requests/s."
)
STYLE = """
:root { color-scheme: light dark }
.paper { fill: #ffffff }
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.note { font-size: 12px; fill: #57606a }
.number { font-size: 12px }
.right { text-anchor: end }
.middle { text-anchor: middle }
.grid { stroke: #d0d7de }
.one { stroke: #57606a; stroke-width: 1.5 }
.sidekey { fill: #0072b2 }
.haproxy { fill: #e69f00 }
.bar { stroke: #1f2328; stroke-width: 3 }
.goal { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 }
text { fill: #e6edf3 }
.note { fill: #a3abb5 }
.grid { stroke: #30363d }
.one { stroke: #9198a1 }
.sidekey { fill: #56b4e9 }
.haproxy { fill: #b87f00 }
.bar, .goal { stroke: #e6edf3 }
}"""


def at(ratio: float) -> float:
    return LEFT + PLOT * min(max(ratio, 0), MOST) / MOST


def text(x: float, y: float, content: str, classes: str = "") -> str:
    chosen = f' class="{classes}"' if classes else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{chosen}>{escape(content)}</text>'


def line(x: float, top: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def block(ratio: float, y: float, kind: str) -> str:
    width = max(1.0, at(ratio) - LEFT)
    return (
        f'<rect class="{kind}" x="{LEFT}" y="{y:.1f}" width="{width:.1f}" height="{THICK}" rx="2"/>'
    )


def row(bar: Bar, results: Results, y: float) -> list[str]:
    ours = bar.as_ratio(results, "sidekey")
    unit = "" if bar.unit == "/s" else f" {bar.unit}"
    value = f"{number(bar.figure(results, 'sidekey'))}{unit}"
    over = "" if bar.kind == "value" else f", {number(ours)} × nginx"
    parts = [
        text(LEFT - 12, y + 12, bar.title, "right"),
        text(LEFT - 12, y + 28, f"bar {bar.said(bar.bar)}, goal {bar.said(bar.goal)}", "note right"),
        block(ours, y, "sidekey"),
    ]
    if bar.beside:
        parts.append(block(bar.as_ratio(results, "haproxy"), y + THICK + 2, "haproxy"))
    for kind, limit in (("bar", bar.bar), ("goal", bar.goal)):
        x = at(bar.limit_as_ratio(results, limit))
        parts.append(line(x, y - 4, y + 2 * THICK + 6, kind))
    verdict = VERDICTS[bar.verdict(results)].strip("*")
    parts.append(text(WIDTH - RIGHT + 16, y + 12, value + over, "number"))
    parts.append(text(WIDTH - RIGHT + 16, y + 28, verdict, "note"))
    return parts


def legend(y: float) -> list[str]:
    found = []
    for x, kind in ((LEFT, "sidekey"), (LEFT + 100, "haproxy")):
        found.append(
            f'<rect class="{kind}" x="{x}" y="{y - 10}" width="12" height="12" rx="2"/>'
        )
        found.append(text(x + 18, y, SHOWN.get(kind, kind)))
    for x, kind in ((LEFT + 210, "bar"), (LEFT + 270, "goal")):
        found += [line(x, y - 13, y + 5, kind), text(x + 10, y, kind)]
    return found


def frame(bottom: float) -> list[str]:
    found = []
    for tick in range(int(MOST) + 1):
        found.append(line(at(tick), TOP - 14, bottom, "one" if tick == 1 else "grid"))
        found.append(text(at(tick), bottom + 16, f"{tick} ×", "note middle"))
    return found


def chart(results: Results, machine: dict[str, str], date: str) -> str:
    height = TOP + ROW * len(BARS) + FOOT
    bottom = TOP + ROW * len(BARS) - 4
    parts = [
        OPENING.format(width=WIDTH, height=height),
        '<title id="t">sidekey beside nginx and HAProxy</title>',
        f'<desc id="d">{escape(description(results))}</desc>',
        f"<style>{STYLE}\n</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        text(20, 34, "sidekey beside nginx and HAProxy", "title"),
        *legend(66),
        *frame(bottom),
    ]
    for index, bar in enumerate(BARS):
        parts += row(bar, results, TOP + ROW * index)
    parts.append(text(20, height - 32, FOOTNOTE, "note"))
    parts.append(text(20, height - 14, f"{date}; {machine['machine']}", "note"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def description(results: Results) -> str:
    said = (f"{bar.title}: {number(bar.as_ratio(results, 'sidekey'))}" for bar in BARS)
    return "Ratios of sidekey. " + "; ".join(said) + "."
