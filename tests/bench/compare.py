"""The gateway beside other servers: `python -m tests.bench.compare`.

Each round asks every server in turn, so that what disturbs the machine disturbs all; what is told
are medians of the ratios within a round. Answers are compared before anything is timed. The results
go into a file, part by part, and `tests.bench.report` makes a page and a plot of it. See the README
beside this.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import queries, shapes, streams
from tests.bench.harness import Bench, shown_data, tell
from tests.bench.load import LoadClient
from tests.bench.report import listing
from tests.bench.results import Results
from tests.bench.servers import BUILD, machine, node_folder
from tests.bench.world import write_world

PARTS: dict[str, Callable[[Bench], None]] = {
    "queries": queries.queries,
    "protections": queries.protections,
    "fan-out": streams.fan_out,
    "quiet": streams.quiet,
    "start-up": shapes.start_up,
    "slow-upstream": shapes.slow_upstream,
    "growing-load": shapes.growing_load,
    "writes": shapes.writes,
    "sizes": shapes.sizes,
}
RESULTS = BUILD / "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="load of a server in a round")
    parser.add_argument("--growing-seconds", type=float, default=60)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="file; other parts in it stay"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tell("preparing: data, load client, peers from npm ...")
        files = write_world(folder)
        node = node_folder()
        data = shown_data(folder, files)
        load = LoadClient(folder)
        for part in given.parts:
            bench = Bench(
                folder, given.rounds, given.seconds, given.growing_seconds, load, files, node, data
            )
            tell(part)
            PARTS[part](bench)
            _keep(bench.results, given.results)
    sys.stdout.write(listing(Results.load(given.results)) + "\n")


def _keep(measured: Results, path: Path) -> None:
    """Put the rows into the file, in the place of those of the same name."""
    kept = Results.load(path) if path.is_file() else Results()
    kept.machine = machine()
    kept.rows |= measured.rows
    kept.save(path)


if __name__ == "__main__":
    main()
