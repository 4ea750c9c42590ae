"""The UI compiled from its sources, a server with something on every page, and Chromium."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from browser_site import ROOT, Site, Sources, Visitor, build_hook, serve

# A machine with much to do answers late: what a test waits for has the same time as what it clicks on.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some tests look at every page there is, which takes its time on a busy machine."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    hook = build_hook()
    root = tmp_path_factory.mktemp("ui")
    folder = root / "ui"
    shutil.copytree(ROOT / "ui", folder, ignore=shutil.ignore_patterns("node_modules", "dist", "schema.gen.d.ts"))
    shutil.copy(ROOT / "openapi.json", root / "openapi.json")
    node, npm = hook._tools()
    hook._run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    found = Sources(folder, node)
    found.run("openapi-typescript/bin/cli.js", "../openapi.json", "-o", "src/api/schema.gen.d.ts")
    return found


@pytest.fixture(scope="session")
def built(sources: Sources) -> Path:
    """The compiled UI."""
    sources.run("vite/bin/vite.js", "build", "--outDir", "dist", "--logLevel", "warn")
    return sources.folder / "dist"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Site]:
    """A server whose project has something on every page."""
    yield from serve(tmp_path_factory.mktemp("full"), built, seeded=True)


@pytest.fixture(scope="session")
def bare_site(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Site]:
    """A server that was just started for the first time."""
    yield from serve(tmp_path_factory.mktemp("bare"), built, seeded=False)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a file: until it ends, its event loop counts as running in the tests' thread."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "Chromium is not installed; run the tests through scripts/services.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, site: Site, sources: Sources) -> Iterator[Visitor]:
    """Somebody signed in to the full site, with a session of their own."""
    with _visitor(chromium, site, sources) as visitor:
        visitor.enter()
        yield visitor


@pytest.fixture
def visit_bare(chromium: Browser, bare_site: Site, sources: Sources) -> Iterator[Visitor]:
    """Somebody signed in to the empty site by its form."""
    with _visitor(chromium, bare_site, sources) as visitor:
        visitor.page.goto(bare_site.url)
        visitor.sign_in()
        yield visitor


@contextmanager
def _visitor(chromium: Browser, site: Site, sources: Sources) -> Iterator[Visitor]:
    # A colour that still fades in has less contrast than the one that stays.
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    yield Visitor(context, site, sources.folder / "node_modules" / "axe-core" / "axe.min.js")
    context.close()
