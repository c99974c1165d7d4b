"""What the distribution sealtrail-verify ships is what the verifier imports, and no import of it leads elsewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "node" / "verifier"
PACKAGE = ROOT / "node" / "sealtrail"
BEGINS = "sealtrail.cli.verify_alone"
# what the distributions are imported as, where that is another name
IMPORTED_AS = {"safe-pysha3": "sha3"}
NEVER = {"aiohttp", "web3", "eth_abi", "eth_account", "eth_utils", "rlp", "socket", "sqlite3"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("sealtrail", include_external_packages=True, cache_dir=None)


@pytest.fixture(scope="module")
def parts() -> set[str]:
    """The modules that are shipped, as the build hook's source names them."""
    listed = re.search(r"^PARTS = \((.*?)^\)", (FOLDER / "hatch_build.py").read_text(), re.M | re.S)
    assert listed is not None
    modules = set()
    for part in re.findall(r'"([^"]+)"', listed[1]):
        path = PACKAGE / part
        assert path.exists(), part
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            name = ".".join(("sealtrail", *file.relative_to(PACKAGE).with_suffix("").parts))
            modules.add(name.removesuffix(".__init__"))
    return modules


def own(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "sealtrail"}


def project() -> dict[str, object]:
    told: dict[str, object] = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    return told


def names(dependencies: object) -> set[str]:
    assert isinstance(dependencies, list)
    return {re.split(r"[><=;\s]", each)[0] for each in dependencies}


def test_everything_that_the_verifier_imports_is_shipped(
    graph: grimp.ImportGraph, parts: set[str]
) -> None:
    needed = {BEGINS, *own(graph.find_upstream_modules(BEGINS))}
    assert needed - parts == set()


def test_no_module_that_is_shipped_imports_one_that_is_not(
    graph: grimp.ImportGraph, parts: set[str]
) -> None:
    for module in parts:
        assert own(graph.find_modules_directly_imported_by(module)) - parts == set(), module


def test_the_dependencies_are_what_is_imported(graph: grimp.ImportGraph, parts: set[str]) -> None:
    import sys

    imported = set()
    for module in parts:
        for name in graph.find_modules_directly_imported_by(module):
            imported.add(name.partition(".")[0])
    foreign = imported - {"sealtrail"} - sys.stdlib_module_names
    listed = {IMPORTED_AS.get(name, name) for name in names(project()["dependencies"])}
    assert foreign == listed
    assert NEVER & imported == set()


def test_a_dependency_is_the_nodes_too_in_the_same_version() -> None:
    node = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    mine = project()
    assert set(mine["dependencies"]) <= set(node["dependencies"])  # type: ignore[call-overload]
    for member in ("requires-python", "license"):
        assert mine[member] == node[member]
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
