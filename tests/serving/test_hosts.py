"""Which names are answered to, and what counts as one client."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.serving.guard import Hosts, client_of, host_of, is_loopback
from mgtl_tf.utils.errors import UserError

OWN = "192.168.1.4"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        (OWN, False),
        ("example.org", False),
    ],
)
def test_loopback(host, loopback):
    assert is_loopback(host) == loopback
    hosts = Hosts.of(host)
    # A name that was made to point here is nowhere answered to.
    assert not hosts.has("evil.example:7860", OWN)
    assert hosts.has(OWN, OWN) == (not loopback)
    assert not hosts.has("192.168.1.5", OWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LocalHost", "localhost"),
        ("localhost.:7860", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]:7860", "::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("my_machine.lan", "my_machine.lan"),
        ("", None),
        ("localhost:", None),
        ("localhost:x", None),
        ("a b", None),
        ("user@localhost", None),
        ("localhost/", None),
        ("localhost,evil.example", None),
        ("a" * 300, None),
    ],
)
def test_host_headers(text, expected):
    assert host_of(text) == expected


def test_what_a_server_on_the_network_answers_to():
    name = socket.gethostname().lower()
    hosts = Hosts.of("0.0.0.0", ["Maps.Example.org.", "fe80::1"])
    for text in (name, "localhost", "maps.example.org:80", "[FE80::1]:7860"):
        assert hosts.has(text, OWN), text
    assert hosts.has(f"{OWN}:7860", OWN)
    for text in ("example.org", "x.maps.example.org", "maps.example.org.evil"):
        assert not hosts.has(text, OWN), text


@pytest.mark.parametrize(
    "text", ["", "*", "*.example.org", "http://a", "a:80", "a/b", "1.2.3", "-a"]
)
def test_other_allowed_hosts_are_refused(text):
    with pytest.raises(UserError, match="^allowed_hosts="):
        Hosts.of("127.0.0.1", ["localhost", text])


@given(st.text(max_size=20) | st.from_regex(r"[a-z.:\[\]0-9-]{1,20}"))
def test_any_header_is_judged(text):
    hosts = Hosts.of("0.0.0.0", ["maps.example.org"])
    if hosts.has(text, OWN):
        assert host_of(text) in hosts.names | {OWN}


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_clients(address, client):
    assert client_of(address) == client
