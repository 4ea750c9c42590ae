"""Channels to inner addresses: refused when they are made, by the rule that holds when something is sent."""

from __future__ import annotations

import pytest
from tests.monitoring.test_monitoring import allow_private

from mainspring.kernel.errors import Denied, Unavailable
from mainspring.monitoring import Channels


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("webhook", "http://127.0.0.1:9/hook"), ("webhook", "http://localhost/hook"), ("slack", "https://10.0.0.7/x"),
        ("webhook", "http://127.1/"), ("webhook", "http://[::1]/"), ("webhook", "http://[::ffff:192.168.0.1]/"),
        ("email", "smtp://127.0.0.1:25/?from=a@example.org&to=b@example.org"),
    ],
)  # fmt: skip
def test_a_channel_to_an_inner_address_is_refused_when_it_is_made_unless_a_setting_permits_it(platform, kind, url):
    channels = Channels(platform)
    with pytest.raises(Denied, match="is an inner address") as refused:
        channels.create("in", url, kind=kind)
    assert "webhook.allow_private" in refused.value.hint and channels.list_().items == []
    allow_private(platform)
    assert channels.create("in", url, kind=kind).name == "in"


def test_a_channel_to_where_clouds_serve_credentials_is_refused_whatever_the_setting_says(platform):
    allow_private(platform)
    with pytest.raises(Denied):
        Channels(platform).create("in", "http://169.254.169.254/latest")


def test_a_channel_to_a_name_without_an_address_is_made_and_checked_when_something_is_sent(platform):
    assert Channels(platform).create("later", "https://hooks.example.invalid/x").host == "hooks.example.invalid"
    with pytest.raises(Unavailable, match="has no address"):
        Channels(platform).test("later")
