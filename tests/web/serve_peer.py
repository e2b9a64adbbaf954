"""Serves the peer runner from a process of its own: `python -m tests.web.serve_peer`.

It prints its URL once it accepts connections and stops with SIGTERM; for clients that are not
Python. It must not serve anything but the loopback.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys

from aiohttp import web

from gateway.settings import WebSettings
from gateway.web.app import create_app, make_runner
from gateway.web.authentication import DevelopmentAuthenticator
from tests.web.peer import PeerRunner


async def main() -> None:
    settings = WebSettings()
    runner = PeerRunner()
    runner.may_pay.set()
    app = create_app(
        runner=runner,
        authenticator=DevelopmentAuthenticator(),
        pings={},
        ids=map("id-{}".format, itertools.count(1)).__next__,
        settings=settings,
        page=None,
        console_directory=None,
    )
    app_runner = make_runner(app, settings)
    await app_runner.setup()
    await web.TCPSite(app_runner, "127.0.0.1", 0).start()
    host, port = app_runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}/graphql\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await app_runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
