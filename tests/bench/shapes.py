"""Other shapes of load: a start, an upstream that takes time, a growing one, writes, and size."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.bench import world
from tests.bench.harness import Bench, ask, running, tell
from tests.bench.servers import (
    BUILD,
    NO_ANSWER_KEPT,
    ROOT,
    Server,
    node_peer,
    ours,
    over_stripe,
    python_peer,
    sandbox,
)
from tests.bench.streams import detaching

UPSTREAM_SECONDS = 0.004
"""What others put behind each call when they publish figures."""
COLD_INVOICES = 500
CLIENTS = (50, 500)
DETACHED = 300
EARLIER = "2cde6b7"
"""The tree before plans and warm answers."""
SIZES = (1_000, 1_000_000)


def start_up(bench: Bench) -> None:
    """From the start of the process to its first answer."""
    supplier = sandbox(bench.files)
    with running(supplier):
        for turn in range(bench.rounds):
            servers = [
                ours("gateway", bench.files),
                over_stripe("gateway over Stripe", bench.files, supplier, bench.folder),
                python_peer("strawberry", "strawberry_plain", bench.data),
                node_peer("yoga", "yoga.mjs", bench.node, bench.data),
                node_peer("apollo", "apollo.mjs", bench.node, bench.data),
                node_peer("mercurius-jit", "mercurius.mjs", bench.node, bench.data),
            ]
            for one in servers:
                tell(f"  start-up, round {turn + 1} of {bench.rounds}: {one.name}")
                try:
                    took = one.start_and(lambda one=one: ask(one, "{ __typename }", {}))  # type: ignore[misc]
                    bench.note("start-up: s", one.name, took)
                    bench.note("start-up: MiB", one.name, one.resident_kib() / 1024)
                finally:
                    one.stop()


def slow_upstream(bench: Bench) -> None:
    """Invoices that are not in the cache, each asked for once, with the same wait behind every call
    to the sandbox. Peers have no upstream of their own, so only the gateway is here."""
    name, row = "gateway over Stripe", "cold, 4 ms a call"
    for turn in range(bench.rounds):
        tell(f"  {row}, round {turn + 1} of {bench.rounds}: {name}")
        supplier = sandbox(bench.files)
        one = over_stripe(name, bench.files, supplier, bench.folder, **NO_ANSWER_KEPT)
        ids = [world.marked(number) for number in range(COLD_INVOICES)]
        asked = bench.requests(
            one, [{"query": world.SINGLE, "variables": {"id": each}} for each in ids]
        )
        with running(supplier, one):
            ask(one, "{ __typename }", {})
            _delay(supplier)
            before = one.upstream_calls()
            told = bench.load.http(one.port, asked, seconds=120, once=True)
            calls = one.upstream_calls() - before
            assert (told["answers"], told["refused"]) == (COLD_INVOICES, 0), told
        waits = told["p50_us"] / 1e6 / UPSTREAM_SECONDS
        bench.note(f"{row}: calls to Stripe an answer", name, calls / COLD_INVOICES)
        bench.note(f"{row}: p50 in waits of one call", name, waits)
        waits = told["p99_us"] / 1e6 / UPSTREAM_SECONDS
        bench.note(f"{row}: p99 in waits of one call", name, waits)


def _delay(supplier: Server) -> None:
    fault = {"kind": "latency", "seconds": UPSTREAM_SECONDS}
    body = {"match": {"path": "/v1/*"}, "times": 1_000_000, "fault": fault}
    request = urllib.request.Request(
        f"http://127.0.0.1:{supplier.port}/_sandbox/faults",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


def growing_load(bench: Bench) -> None:
    """Clients that become ten times as many, each with its next question after every answer."""
    row, (least, most) = "growing load", CLIENTS
    for turn in range(bench.few_rounds):
        for one in (
            ours("gateway", bench.files, **NO_ANSWER_KEPT),
            ours("gateway, answer kept", bench.files),
            python_peer("strawberry", "strawberry_plain", bench.data),
            node_peer("yoga", "yoga.mjs", bench.node, bench.data),
            node_peer("mercurius-jit", "mercurius.mjs", bench.node, bench.data),
        ):
            tell(f"  {row}, round {turn + 1} of {bench.few_rounds}: {one.name}")
            with running(one):
                nodes = ask(one, world.LIST, world.list_variables())["invoices"]["nodes"]
                asked = bench.requests(
                    one,
                    [{"query": world.SINGLE, "variables": {"id": each["id"]}} for each in nodes],
                )
                one.forget_peak()
                told = bench.load.http(
                    one.port,
                    asked,
                    seconds=bench.growing_seconds,
                    connections=most,
                    begin_with=least,
                )
                bench.note(f"{row}: errors", one.name, told["refused"] + told["closed"])
                bench.note(f"{row}: answers/s", one.name, told["answers"] / told["seconds"])
                bench.note(f"{row}: p99 ms", one.name, told["p99_us"] / 1000)
                bench.note(f"{row}: p99 ms at its height", one.name, told["late_p99_us"] / 1000)
                bench.note(f"{row}: peak MiB", one.name, one.peak_kib() / 1024)


def writes(bench: Bench) -> None:
    """Detached payments, one after the other, beside the same of an earlier tree."""
    row = "detach: answers/s"
    now, earlier = ours("gateway", bench.files), ours("earlier", bench.files)
    found = _earlier_tree()
    if found is None:
        tell(f"  {row}: left out, as {EARLIER} cannot be started here")
        return
    earlier.root, python = found
    earlier.command[0] = str(python)
    for turn in range(bench.rounds):
        for one in (now, earlier):
            tell(f"  detach, round {turn + 1} of {bench.rounds}: {one.name}")
            with running(one):
                ask(one, "{ __typename }", {})
                asked = bench.requests(one, [detaching(number) for number in range(1, DETACHED)])
                given = ask(one, world.DETACH, detaching(0)["variables"])["detachPayment"]  # type: ignore[arg-type]
                assert given["invoice"]["status"] == "OPEN", given
                told = bench.load.http(one.port, asked, seconds=120, connections=1, once=True)
            assert (told["answers"], told["refused"]) == (DETACHED - 1, 0), told
            bench.note(row, one.name, told["answers"] / told["seconds"])


def _earlier_tree() -> tuple[Path, Path] | None:
    """That tree, and a Python with what it needs; None where one of them cannot be had."""
    tree, environment = BUILD / f"tree-{EARLIER}", BUILD / f"venv-{EARLIER}"
    python = environment / "bin" / "python"
    steps: list[list[str]] = []
    if not tree.is_dir():
        steps.append(["git", "worktree", "add", "--force", "--detach", str(tree), EARLIER])
    if not (environment / "installed").is_file():
        lock = ["--require-hashes", "--only-binary", ":all:", "-r", str(tree / "requirements.lock")]
        steps.append([sys.executable, "-m", "venv", "--clear", str(environment)])
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q"]
        steps.append([*pip, "install", *lock])
        steps.append([str(python), "-m", "compileall", "-q", str(tree / "gateway")])
    for step in steps:
        if subprocess.run(step, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            return None
    (environment / "installed").touch()
    return tree, python


def sizes(bench: Bench) -> None:
    """A list of fifty out of few invoices and out of many, in a process of its own."""
    row = "list of 50 by invoices held: s"
    told = bench.folder / "sizes.json"
    tell(f"  {row}, {SIZES[-1]:,} invoices take minutes to make")
    command = [sys.executable, "-m", "tests.bench.scale", "--sizes", *map(str, SIZES)]
    command += ["--only", "page of 50", "--json", str(told)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for name, seconds in json.loads(told.read_text()).items():
        for one in seconds:
            bench.note(row, name, one)
