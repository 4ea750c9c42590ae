"""A copy of the UI's sources, a server to look at, and somebody who looks."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import uvicorn
from browser_engine import TalkingEngine
from browser_seed import WordEmbed, fill
from playwright.sync_api import BrowserContext, Page, expect

from mainspring.backends.files_object import open_files
from mainspring.backends.records_sqlite import open_records
from mainspring.backends.runner_inline import InlineRunner
from mainspring.backends.spans_sqlite import open_spans
from mainspring.kernel import schema, settings
from mainspring.kernel.clock import SystemClock, SystemIds
from mainspring.kernel.keyring import Keyring
from mainspring.kernel.platform import Platform
from mainspring.surfaces import static
from mainspring.surfaces.app import build_app
from mainspring.surfaces.nouns import load_rooms
from mainspring.workspace.first import first_start

ROOT = Path(__file__).resolve().parents[2]


def build_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Sources:
    """A copy of `ui/` with its packages installed."""

    folder: Path
    node: str

    def run(self, script: str, *arguments: str) -> str:
        """Run a package's script with node; its output. Fails the test where it fails."""
        command = [self.node, str(self.folder / "node_modules" / script), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@dataclass(frozen=True)
class Site:
    """A running server: its address, the owner's key, and the names that its project holds."""

    url: str
    key: str
    names: dict[str, str]


def serve(home: Path, built: Path, seeded: bool) -> Iterator[Site]:
    load_rooms()
    config = settings.load({"home": str(home), "targets.allow_private": True}, environ={}, folder=home)
    runner, engine = InlineRunner(), TalkingEngine()
    platform = Platform(
        home=home,
        settings=config,
        clock=SystemClock(),
        ids=SystemIds(),
        keyring=Keyring(b"k" * 32),
        records=open_records("", home, config),
        files=open_files("", home, config),
        spans_port=open_spans("", home, config),
        runner_port=runner,
        engine_port=engine,
        embed_port=WordEmbed(),
    )
    runner.platform = platform
    schema.upgrade(platform.records, platform.clock)
    owner = first_start(platform, owner="ann")
    assert owner is not None
    names = {**(fill(platform) if seeded else {}), "local": engine.url}
    kept, static.STATIC = static.STATIC, built
    app = build_app(platform, dict)
    static.STATIC = kept
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", owner.secret, names)
    server.should_exit = True
    thread.join(timeout=20)
    engine.close()
    platform.spans.close()
    platform.records.close()


# What is wider than the page and not inside something that scrolls by itself, and a main action that is out of reach.
# Charts take a few frames to fit a width that has changed.
OUT_OF_REACH = """async () => {
  const clips = (node) => getComputedStyle(node).overflowX !== "visible";
  const held = (node) => node && node !== document.body && (clips(node) || held(node.parentElement));
  const past = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
  };
  const all = (what) => [...document.querySelectorAll(what)];
  const look = () => [
    ...all("html, main, .page-body, .page-head, .filters").filter((box) => box.scrollWidth > box.clientWidth + 1),
    ...all("main *").filter((node) => past(node) && !held(node.parentElement)),
    ...all(".page-head .btn.primary").filter((it) => past(it) || it.getBoundingClientRect().bottom > innerHeight),
  ];
  for (let frame = 0; frame < 60 && look().length; frame++) await new Promise(requestAnimationFrame);
  return look().slice(0, 3).map((node) => `${node.tagName}.${node.className} ${node.textContent.slice(0, 40)}`);
}"""


# What a change of colours sets off begins with the next frame, and may set off more.
SETTLED = """async () => {
  do {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    await Promise.allSettled(document.getAnimations().map((it) => it.finished));
  } while (document.getAnimations().length);
}"""


# Counts what a page asks of the server and has no answer to yet. An answer is followed by what the page makes of it,
# so a page has come to rest when nothing was under way for some frames in a row.
ASKING = """{
  const ask = window.fetch;
  window.asking = 0;
  window.fetch = async (...asked) => {
    window.asking++;
    try {
      return await ask(...asked);
    } finally {
      window.asking--;
    }
  };
}"""
AT_REST = """() => {
  const there = document.querySelector("main h1") && !document.querySelector("[aria-label=Loading]");
  window.restful = window.asking || !there ? 0 : (window.restful ?? 0) + 1;
  return window.restful > 3;
}"""


class Visitor:
    """Somebody in front of a site; every complaint of the browser is kept."""

    def __init__(self, context: BrowserContext, site: Site, axe: Path) -> None:
        self.site = site
        self.axe = axe
        self.complaints: list[str] = []
        context.add_init_script(ASKING)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: Any) -> None:
        # A refused sign-in and a reference that is not there are part of the tests; Chromium logs both as errors.
        if message.type in ("error", "warning") and "status of 40" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        """Go to a page and wait until it has loaded all that it shows."""
        self.page.goto(self.site.url + path)
        self.page.wait_for_function(AT_REST)
        return self.page

    def walk_to(self, text: str) -> None:
        """Walk a list from its start by J to the row that says just this somewhere, a step once the one before is seen.

        A key pressed while a list still loads goes nowhere, so this begins when the wanted row is there.
        """
        wanted = self.page.locator(".list-row").filter(has=self.page.get_by_text(text, exact=True))
        expect(wanted).to_be_visible()
        self.page.locator("main h1").click()
        last = int(wanted.get_attribute("aria-rowindex") or 0)
        for row in range(1, last + 1):
            self.page.keyboard.press("j")
            chosen = self.page.locator(f".list-row[aria-rowindex='{row}']")
            expect(chosen).to_have_attribute("aria-selected", "true")
        expect(wanted).to_have_attribute("aria-selected", "true")

    def turn(self, colours: Literal["light", "dark"]) -> None:
        """Turn what is on the screen light or dark, and wait until every colour is what it will stay."""
        self.page.emulate_media(color_scheme=colours)
        expect(self.page.locator("html")).to_have_attribute("data-mantine-color-scheme", colours)
        self.page.evaluate(SETTLED)

    def enter(self) -> None:
        """Get a session of one's own for the owner's key, as the form of the first page does."""
        reply = self.page.context.request.post(f"{self.site.url}/api/v1/session", data={"api_key": self.site.key})
        assert reply.ok, reply.text()

    def sign_in(self, key: str = "") -> Page:
        """Sign in by the form of the first page, with the owner's key where no other is given."""
        self.page.get_by_label("API key").fill(key or self.site.key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("navigation", name="Pages").wait_for()
        return self.page

    def out_of_reach(self) -> list[str]:
        """What a window of 390 pixels cuts off of the page as it is; the window has its width again afterwards."""
        usual = self.page.viewport_size
        assert usual
        self.page.set_viewport_size({"width": 390, "height": 844})
        found: list[str] = self.page.evaluate(OUT_OF_REACH)
        self.page.set_viewport_size(usual)
        return found

    def violations(self, *rules: str) -> list[str]:
        """What axe finds serious or critical on the page as it is, by some of its rules or by all."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(self.axe.read_text())
        # What passes is looked at all the same; only its description, which takes most of the time, is left out.
        wanted = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = self.page.evaluate("wanted => axe.run(document, wanted)", wanted)["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in grave]
