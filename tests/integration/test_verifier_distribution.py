"""The distribution sealtrail-verify: built, installed where nothing else is, and used on a bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundle_story import Story
from bundle_world import bundle
from sealtrail.evidence.bundle.trust import encode_trust

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.full  # needs a package index

PIP_SECONDS = 600


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs with the verifier in it, and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    programs = folder / "env" / "bin"
    install = [
        programs / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    done = subprocess.run(
        [*install, ROOT / "node" / "verifier"],
        capture_output=True,
        text=True,
        timeout=PIP_SECONDS,
        check=False,
    )
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip("no package index to install the dependencies from")
    assert done.returncode == 0, done.stderr
    return programs


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    story = Story("alone")
    (folder / "trust.json").write_bytes(encode_trust(story.world.trust(pinned=5)))
    (folder / "true").write_bytes(bundle(story.world, story.recipe()))
    recipe = story.recipe()
    recipe.shown = {story.maker.member: [1, 4]}
    (folder / "dropped").write_bytes(bundle(story.world, recipe))
    return folder


@pytest.mark.parametrize(("name", "code"), [("true", 0), ("dropped", 1), ("trust.json", 2)])
def test_it_says_what_the_node_s_command_says(
    alone: Path, files: Path, name: str, code: int
) -> None:
    arguments = [files / name, "--trust", files / "trust.json", "--json"]
    mine = subprocess.run([alone / "sealtrail-verify", *arguments], capture_output=True)
    theirs = subprocess.run(
        [sys.executable, "-m", "sealtrail.cli", "verify", *arguments], capture_output=True
    )
    assert (mine.returncode, theirs.returncode) == (code, code)
    assert mine.stderr == theirs.stderr
    if code != 2:
        told = [json.loads(each.stdout) | {"verified_at": ""} for each in (mine, theirs)]
        assert told[0] == told[1]


def test_neither_node_nor_chain_nor_web_come_with_it(alone: Path, files: Path) -> None:
    listed = subprocess.run(
        [alone / "python", "-m", "pip", "list", "--format=json"], capture_output=True, check=True
    )
    installed = {each["name"].lower() for each in json.loads(listed.stdout)}
    assert "sealtrail-verify" in installed
    assert installed & {"web3", "aiohttp", "eth-abi", "eth-account", "py-evm", "pydantic"} == set()
    assert len(installed) <= 20
    code = (
        "import sys; from sealtrail.cli.verify_alone import main; main(sys.argv[1:]);"
        "sys.exit(bool({'socket', 'ssl', 'asyncio', 'sqlite3'} & set(sys.modules)))"
    )
    arguments = [files / "true", "--trust", files / "trust.json"]
    assert subprocess.run([alone / "python", "-c", code, *arguments]).returncode == 0


def test_it_has_its_licence_and_version(alone: Path) -> None:
    told = subprocess.run([alone / "sealtrail-verify", "--version"], capture_output=True, text=True)
    from sealtrail import __version__

    assert told.stdout.strip() == f"sealtrail-verify, version {__version__}"
    shown = subprocess.run(
        [alone / "python", "-m", "pip", "show", "--files", "sealtrail-verify"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "licenses/LICENSE" in shown.stdout
    assert "sealtrail/app" not in shown.stdout
