"""The Chromium that the console's tests and pictures drive, if this machine has one."""

from __future__ import annotations

import os
import shutil

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
IS_REQUIRED = os.environ.get("GATEWAY_TEST_BROWSER") == "required"
"""Then a missing browser is a failed test, as in the check of every submission."""

LEFT_OUT = (
    "Left out: the console in a real browser (tests/clients/test_console.py), as there is no "
    "Chromium here. On Debian: apt-get install chromium."
)
NOT_BUILT = "Left out: the console and its package, as they are not built. Run make console."
