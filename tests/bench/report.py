"""What was measured as a page and a plot: `python -m tests.bench.report`.

It writes docs/benchmarks.md and docs/benchmarks.svg, and the part of README.md between its two
marks. Only what was measured is shown, and only as ratios, counts and sizes of one subscriber:
absolute times belong to the machine.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.results import Results
from tests.bench.servers import BUILD

ROOT = Path(__file__).parents[2]
PAGE, PLOT = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of each server: as a multiple of a reference's, or as it is."""

    title: str
    row: str
    reference: str | None = None

    def cell(self, results: Results, server: str) -> str | None:
        if self.reference is None:
            value = results.median(self.row, server)
        else:
            value = results.ratio(self.row, server, self.reference)
        return None if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def rates(row: str, *references: str) -> list[Column]:
    return [Column(f"x {one}", row, one) for one in references]


PEERS = ("strawberry", "mercurius-jit", "hand-written", "bare aiohttp")
TABLES: dict[str, list[Column]] = {
    **{
        f"{title}, answers a second": [
            *rates(f"{row}: answers/s", *PEERS),
            Column("p99 x strawberry", f"{row}: p99 ms", "strawberry"),
            Column("peak memory x strawberry", f"{row}: peak MiB", "strawberry"),
            Column("KiB more for an answer under way", f"{row}: peak KiB an answer under way"),
            Column("calls to Stripe an answer", f"{row}: calls to Stripe an answer"),
        ]
        for title, row in {
            "List of 50 invoices with 3 payments and their PaymentIntents": "list",
            "One invoice with its payments and PaymentIntents": "one invoice",
        }.items()
    },
    "1,000 subscribers of 250 callers, one document, deliveries a second": [
        *rates("fan-out: deliveries/s", "strawberry", "graphql-ws", "broadcast"),
        Column("p99 x graphql-ws", "fan-out: p99 ms", "graphql-ws"),
        Column("lost", "fan-out: lost"),
        Column("KiB a subscriber", "fan-out: KiB a subscriber"),
    ],
    "1,000 subscribers, each its own invoice, deliveries a second": [
        *rates("own invoices: deliveries/s", "strawberry", "graphql-ws"),
        Column("p99 x graphql-ws", "own invoices: p99 ms", "graphql-ws"),
        Column("lost", "own invoices: lost"),
    ],
    "10,000 quiet subscribers": [
        Column("KiB each", "10000 quiet subscribers: KiB each"),
        Column(
            "an event about one invoice x graphql-ws",
            "10000 quiet subscribers: p50 ms of an event",
            "graphql-ws",
        ),
        Column("the same x with 100", "quiet: event with 10000 over with 100"),
    ],
    "From the start of the process to its first answer": [
        *(Column(f"time x {one}", "start-up: s", one) for one in ("strawberry", "yoga")),
        *(Column(f"idle memory x {one}", "start-up: MiB", one) for one in ("strawberry", "yoga")),
    ],
    "Cold reads of one invoice, 4 ms behind every call to Stripe": [
        Column("p50 in waits of one call", "cold, 4 ms a call: p50 in waits of one call"),
        Column("p99 in waits of one call", "cold, 4 ms a call: p99 in waits of one call"),
        Column("calls to Stripe an answer", "cold, 4 ms a call: calls to Stripe an answer"),
    ],
    "From 50 to 500 clients within a minute, one invoice": [
        Column("answers x strawberry", "growing load: answers/s", "strawberry"),
        Column("p99 x strawberry", "growing load: p99 ms", "strawberry"),
        Column("p99 at the end x strawberry", "growing load: p99 ms at the end", "strawberry"),
        Column("errors", "growing load: errors"),
        Column("peak memory x strawberry", "growing load: peak MiB", "strawberry"),
    ],
    "Detached payments, one after the other, answered with the invoice and its payments": [
        *rates("detach: answers/s", "earlier"),
    ],
    "Time of a list of 50, by invoices held": [
        *rates("list of 50 by invoices held: s", "1,000"),
    ],
    "What each protection costs, answers a second made anew": [
        Column("list x all", "protections, list: answers/s", "all protections"),
        Column("one invoice x all", "protections, one invoice: answers/s", "all protections"),
    ],
}

SUMMARY = {
    "list": ("list: answers/s", "strawberry", "mercurius-jit", "bare aiohttp"),
    "one invoice": ("one invoice: answers/s", "strawberry", "mercurius-jit", "bare aiohttp"),
    "event to 1,000 subscribers": (
        "fan-out: deliveries/s",
        "strawberry",
        "graphql-ws",
        "broadcast",
    ),
    "events to their own subscribers": ("own invoices: deliveries/s", "strawberry", "graphql-ws"),
    "time from spawn to first answer": ("start-up: s", "strawberry", "yoga"),
}
"""A row, plain Strawberry, the best Node server, and what the machine can do at all."""


def derived(results: Results) -> None:
    """Rows that compare two rows."""
    many, few = (f"{count} quiet subscribers: p50 ms of an event" for count in (10_000, 100))
    for server in results.servers(many):
        ratio = results.median(many, server), results.median(few, server)
        if None not in ratio:
            results.rows.setdefault("quiet: event with 10000 over with 100", {})[server] = [
                ratio[0] / ratio[1]  # type: ignore[operator]
            ]


def tables(results: Results) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table's title, heads and lines; of servers and columns that were measured alone."""
    for title, columns in TABLES.items():
        servers = dict.fromkeys(one for column in columns for one in results.servers(column.row))
        cells = {one: [column.cell(results, one) for column in columns] for one in servers}
        kept = [at for at in range(len(columns)) if any(line[at] for line in cells.values())]
        lines = [[one, *(line[at] or "" for at in kept)] for one, line in cells.items()]
        lines = [line for line in lines if any(line[1:])]
        if lines:
            yield title, ["", *(columns[at].title for at in kept)], lines


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---", *("---:" for _ in heads[1:])], *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def listing(results: Results) -> str:
    """The tables for a terminal."""
    derived(results)
    said = []
    for title, heads, lines in tables(results):
        widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
        said.append(title)
        for row in (heads, *lines):
            cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
            said.append("  " + "  ".join(cells))
    return "\n".join(said)


def machine(results: Results) -> str:
    told = results.machine
    rounds = {len(values) for row in results.rows.values() for values in row.values()}
    return (
        f"Measured on {told['cores']} cores ({told['system']}), Python {told['python']}, Node "
        f"{told['node']}: servers on one core, the load client on another, one process each. "
        f"Medians of the ratios within a round; at least {min(rounds - {1}, default=1)} rounds."
    )


def page(results: Results) -> str:
    parts = [
        "# Benchmarks\n\nWritten by `make bench`; do not edit. How to read it, and what each "
        f"server is: `tests/bench/README.md`.\n\n{machine(results)}\n\n"
        f"{'![The plot](benchmarks.svg)' if drawn(results) else ''}\n"
    ]
    parts += [
        f"\n## {title}\n\n{markdown(heads, lines)}" for title, heads, lines in tables(results)
    ]
    return "".join(parts)


def summary(results: Results) -> str:
    """The gateway's own lines of the tables that matter most."""
    heads = ["", "x plain Strawberry", "x best Node server", "of what aiohttp can do at all"]
    lines = []
    for title, (row, *references) in SUMMARY.items():
        for server in results.servers(row):
            if server.startswith("gateway"):
                cells = [Column("", row, one).cell(results, server) or "" for one in references]
                lines.append([f"{title}, {server}", *cells, *[""] * (3 - len(cells))])
    plot = "![Answers and deliveries a second](docs/benchmarks.svg)\n\n" if drawn(results) else ""
    more = "More in [docs/benchmarks.md](docs/benchmarks.md)."
    return f"{markdown(heads, lines)}\n{plot}{machine(results)} {more}\n"


PANELS = (
    ("List of 50: x plain Strawberry", "list: answers/s", "strawberry"),
    ("One invoice: x plain Strawberry", "one invoice: answers/s", "strawberry"),
    ("Event to 1,000 subscribers: x graphql-ws", "fan-out: deliveries/s", "graphql-ws"),
    ("Own invoices: x graphql-ws", "own invoices: deliveries/s", "graphql-ws"),
)
"""Of the plot: a title, its row, and what the others are multiples of."""


def drawn(results: Results) -> list[tuple[str, str, str]]:
    """The panels that were measured."""
    return [one for one in PANELS if results.ratio(one[1], one[2], one[2]) is not None]


def draw(results: Results, path: Path) -> None:
    """Bars of each server as multiples of one, on a logarithmic axis; no file for no panels."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    path.unlink(missing_ok=True)
    panels = drawn(results)
    if not panels:
        return
    counts = [len(results.servers(row)) for _, row, _ in panels]
    # The same input gives the same file.
    with mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(
            len(panels),
            figsize=(8, 0.28 * sum(counts) + 0.7 * len(panels)),
            height_ratios=counts,
            layout="constrained",
            squeeze=False,
        )
        for (title, row, reference), axis in zip(panels, axes[:, 0], strict=True):
            _bars(results, axis, title, row, reference)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _bars(results: Results, axis: Any, title: str, row: str, reference: str) -> None:
    ratios = {one: results.ratio(row, one, reference) for one in results.servers(row)}
    names = sorted(filter(ratios.get, ratios), key=ratios.__getitem__)  # type: ignore[arg-type]
    values = [ratios[one] for one in names]
    colors = ["#1f6feb" if one.startswith("gateway") else "#8b949e" for one in names]
    bars = axis.barh(names, values, color=colors)
    axis.bar_label(bars, fmt="{:.3g}", padding=3)
    axis.set_xscale("log")
    axis.tick_params(axis="x", which="both", bottom=False, labelbottom=False)
    axis.set_xlim(min(values) / 2, max(values) * 3)
    axis.set_title(f"{title} (logarithmic)", loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=BUILD / "results.json")
    results = Results.load(parser.parse_args().results)
    derived(results)
    PAGE.write_text(page(results))
    draw(results, PLOT)
    text = README.read_text()
    between = f"{BEGIN}\n{summary(results)}{END}"
    README.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: between, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
