"""The verifier in JavaScript in a real browser: every vector, and bundles true and changed."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bundle_story import Story
from bundle_world import answered, lines_of, signed
from conftest import ROOT, find_tool
from javascript_verifier import Case, check_case, encoded, vector_cases
from sealtrail.evidence.bundle.trust import encode_trust

pytestmark = pytest.mark.full

SERVED = (ROOT / "node" / "sealtrail" / "web", ROOT / "tests" / "javascript")
TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}
LIMIT_SECONDS = 240


@pytest.fixture(scope="module")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if path := find_tool(name):
            return path
    pytest.skip("no browser is at hand: scripts/tools --browser tries to install Chromium")


class Page:
    """Serves the verifier's files and the jobs on loopback, and takes the results."""

    def __init__(self, jobs: list[dict[str, Any]]) -> None:
        self.arrived = threading.Event()
        self.answer: dict[str, Any] = {}
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/jobs":
                    self._send(json.dumps(jobs).encode(), "application/json")
                    return
                path = (ROOT / self.path.lstrip("/")).resolve()
                if path.suffix in TYPES and any(path.is_relative_to(each) for each in SERVED):
                    self._send(path.read_bytes(), TYPES[path.suffix])
                else:
                    self.send_error(404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                page.answer = json.loads(body)
                self._send(b"", "text/plain")
                page.arrived.set()

            def _send(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                # what a page of the node is to be allowed, and no more
                self.send_header(
                    "Content-Security-Policy",
                    "default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src 'self'",
                )
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/tests/javascript/page.html"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def results_of(browser: str, jobs: list[dict[str, Any]], profile: Path) -> list[dict[str, Any]]:
    """Do jobs in a browser of its own; it is ended whatever happens."""
    page = Page(jobs)
    process = subprocess.Popen(
        [
            browser,
            "--headless=new",
            "--no-sandbox",  # root has none; it opens nothing but the page above
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            page.url,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert page.arrived.wait(LIMIT_SECONDS), "the browser sent nothing"
    finally:
        process.terminate()
        process.wait(30)
        page.close()
    assert "results" in page.answer, page.answer
    assert "Chrome/" in page.answer["agent"]
    results: list[dict[str, Any]] = page.answer["results"]
    return results


def bundle_cases() -> Iterator[tuple[str, dict[str, Any], int | None]]:
    """Yield bundles with the exit code that they have to get; None is malformed."""
    story = Story("shown in a browser")
    whole = signed(answered(story.world, lines_of(story.world, story.recipe())), story.maker)
    job = {"do": "bundle", "trust": encoded(encode_trust(story.world.trust(pinned=5)))}
    yield "true", {**job, "bundle": encoded(whole)}, 3
    yield "about another item", {**job, "bundle": encoded(whole), "item": "urn:x:1"}, 1
    yield "half", {**job, "bundle": encoded(whole[: len(whole) // 2])}, None
    yield "another byte", {**job, "bundle": encoded(whole.replace(b"0.1.0", b"0.1.1"))}, None
    other = encoded(encode_trust(Story("elsewhere").world.trust(pinned=5)))
    yield "of another network", {**job, "bundle": encoded(whole), "trust": other}, 1


def test_a_browser_decides_as_it_has_to(browser: str, tmp_path: Path) -> None:
    vectors: list[Case] = list(vector_cases())
    bundles = list(bundle_cases())
    jobs = [case.job for case in vectors] + [job for _, job, _ in bundles]
    results = results_of(browser, jobs, tmp_path / "profile")
    assert len(results) == len(jobs)
    for case, result in zip(vectors, results, strict=False):
        check_case(case, result)
    for (name, _, exit_code), result in zip(bundles, results[len(vectors) :], strict=True):
        if exit_code is None:
            assert result.get("code") == "bundle_malformed", (name, result)
        else:
            assert result.get("value", {}).get("exit_code") == exit_code, (name, result)
