"""schemathesis as a crash net: whatever it sends to any field, no failure is the gateway's own.

It runs as people run it, as a command against a URL. A failure prints its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from tests.fuzz.test_never_500 import found
from tests.support.served import serving

EXAMPLES = os.environ.get("GATEWAY_FUZZ_SCHEMATHESIS_EXAMPLES", "30")
"""For each root field."""
SECONDS_MAX = 600
ROOT = Path(__file__).parents[2]
SDL = ROOT / "schema" / "schema.graphql"


async def test_schemathesis_meets_no_server_error(tmp_path: Path) -> None:
    seed = os.environ.get("GATEWAY_FUZZ_SEED") or str(random.randrange(2**32))
    arguments = [
        *("run", str(SDL), "--checks", "no_failure_of_ours", "--phases", "fuzzing"),
        *("--max-examples", EXAMPLES, "--seed", seed, "--no-color"),
    ]
    async with serving() as served:
        ids, _ = await found(served)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", *arguments, "--url", str(served.url / "graphql")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,  # It leaves a folder of its own wherever it runs.
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SCHEMATHESIS_HOOKS": "tests.fuzz.schemathesis_hooks",
                "GATEWAY_FUZZ_IDS": ",".join(sorted(ids)),
            },
        )
        async with asyncio.timeout(SECONDS_MAX):
            told, _ = await process.communicate()

    assert process.returncode == 0, f"seed {seed}\n{told.decode()}"
