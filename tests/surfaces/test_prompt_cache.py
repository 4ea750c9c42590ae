"""The client's prompts: fresh by default, kept while they are wanted, and there while the server is away."""

import threading

import pytest

from mainspring.kernel.errors import NotFound, Unreachable
from mainspring.prompts import Prompts
from mainspring.surfaces.prompt_cache import CachedPrompts


class Remote:
    """The server's operations, which can be away, and count what they are asked."""

    def __init__(self, prompts):
        self.prompts = prompts
        self.calls = 0
        self.problem = None
        self.asked = threading.Event()
        self.caller = None

    def get(self, name, *, selector=""):
        self.calls += 1
        try:
            if self.problem:
                raise self.problem
            if threading.current_thread() is not threading.main_thread():
                with self.caller:
                    return self.prompts.get(name, selector=selector)
            return self.prompts.get(name, selector=selector)
        finally:
            self.asked.set()

    def __getattr__(self, name):
        return getattr(self.prompts, name)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def remote(platform, acting):
    prompts = Prompts(platform)
    prompts.commit("greet", text="One")
    made = Remote(prompts)
    made.caller = acting()
    return made


def cache(remote, tmp_path, ttl=0.0, clock=None, key="k"):
    return CachedPrompts(remote, tmp_path / "cache", ("http://here", "default", "", key), ttl, clock or Clock())


def test_without_a_lifetime_the_server_is_asked_each_time(remote, tmp_path):
    cached = cache(remote, tmp_path)
    assert cached.get("greet").number == 1
    remote.prompts.commit("greet", text="Two")
    assert cached.get("greet").number == 2


def test_within_its_lifetime_a_prompt_comes_from_memory(remote, tmp_path):
    clock = Clock()
    cached = cache(remote, tmp_path, 60, clock)
    cached.get("greet")
    remote.prompts.commit("greet", text="Two")
    clock.now = 59
    assert cached.get("greet").number == 1
    assert remote.calls == 1


def test_after_it_the_kept_one_is_given_at_once_while_the_newest_is_fetched(remote, tmp_path):
    clock = Clock()
    cached = cache(remote, tmp_path, 60, clock)
    cached.get("greet")
    remote.prompts.commit("greet", text="Two")
    clock.now = 61
    remote.asked.clear()
    assert cached.get("greet").number == 1
    assert remote.asked.wait(20)
    for thread in threading.enumerate():
        if thread.name == "prompt":
            thread.join(20)
    assert cached.get("greet").number == 2
    assert remote.calls == 2
    clock.now = 61 + 10 * 60
    remote.prompts.commit("greet", text="Three")
    assert cached.get("greet").number == 3, "what is far too old is not given out"


def test_ones_own_change_is_seen_at_once(remote, tmp_path):
    cached = cache(remote, tmp_path, 60)
    cached.get("greet", selector="")
    cached.commit("greet", text="Two")
    assert cached.get("greet").number == 2


def test_an_outage_is_bridged_across_processes(remote, tmp_path):
    cache(remote, tmp_path).get("greet")
    remote.problem = Unreachable("No server answers.")
    other = cache(remote, tmp_path)
    assert other.get("greet").messages[0].content == "One"
    with pytest.raises(Unreachable):
        other.get("greet", selector="1")
    with pytest.raises(Unreachable):
        cache(remote, tmp_path, key="of somebody else").get("greet")
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    file.write_text("{broken")
    with pytest.raises(Unreachable):
        cache(remote, tmp_path).get("greet")


def test_what_the_server_refuses_is_forgotten(remote, tmp_path):
    cached = cache(remote, tmp_path, 60)
    cached.get("greet")
    remote.problem = NotFound("There is no such prompt.")
    fresh = cache(remote, tmp_path)
    with pytest.raises(NotFound):
        fresh.get("greet")
    remote.problem = Unreachable("No server answers.")
    with pytest.raises(Unreachable):
        fresh.get("greet")


def test_a_folder_that_cannot_be_written_is_no_problem(remote, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert cache(remote, tmp_path).get("greet").number == 1
