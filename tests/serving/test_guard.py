"""Every answer has the headers; other sites and other hosts get none."""

import asyncio
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from mgtl_tf.serving.guard import Guard, Hosts
from mgtl_tf.serving.server import HEADERS


def raw(page, request, source="127.0.0.1"):
    """What comes back for bytes: status and headers; None for nothing."""
    address = ("127.0.0.1", page.port)
    with socket.create_connection(address, 20, (source, 0)) as line:
        line.sendall(request)
        with line.makefile("rb") as file:
            head = file.readline()
            if not head:
                return None
            headers = {}
            while (text := file.readline()) not in (b"\r\n", b""):
                name, _, value = text.partition(b":")
                headers.setdefault(name.lower(), []).append(value.strip())
    return int(head.split()[1]), headers


def require_fenced(headers):
    for name, value in HEADERS.items():
        assert headers[name.encode()] == [value.encode()], name


def request(method=b"GET", target=b"/", host=b"localhost", more=b""):
    return (
        method
        + b" "
        + target
        + b" HTTP/1.1\r\nHost: "
        + host
        + b"\r\n"
        # Unread bytes of a request would reset its connection.
        + more
        + b"\r\n"
    )


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request(target=b"/places/" + b"9" * 5000 + b".jpg"), 404),
        (request(target=b"/places/%D9%A1.jpg"), 404),
        (request(target=b"/health"), 200),
        (request(target=b"/positions"), 200),
        (request(target=b"/places/0.jpg"), 200),
        (request(target=b"/places/1.jpg"), 404),
        (request(target=b"/places/2.jpg"), 404),
        (request(target=b"/places/3.jpg"), 404),
        (request(target=b"/places/4.jpg"), 404),
        (request(target=b"/places/5.jpg"), 200),
        (request(target=b"/places/6.jpg"), 404),
        (request(target=b"/places/-1.jpg"), 404),
        (request(target=b"/static/page.css"), 200),
        (request(target=b"/static/../app.py"), 404),
        (request(target=b"/static/%2e%2e/app.py"), 404),
        (request(target=b"/locate"), 405),
        (request(target=b"/places/00.jpg"), 404),
        (request(target=b"/places/+0.jpg"), 404),
        (request(target=b"/places/0_0.jpg"), 404),
        (request(target=b"/static/%00"), 404),
        (request(target=b"/static/" + b"a" * 5000), 404),
        (request(target=b"/static/%ff/%ed%b3%bf"), 404),
        (request(target=b"http://evil.example/"), 404),
        (request(b"HEAD"), 200),
        (request(b"PUT"), 405),
        (request(b"POST", b"/locate"), 422),
        (request(host=b"evil.example"), 400),
        (request(host=b"localhost, localhost"), 400),
        (request(host=b"LOCALHOST.:7860"), 200),
        (request(host=b"[::1]:7860"), 200),
        (request(host=b"[::2]"), 400),
        (request(host=b"127.0.0.1:700000"), 400),
        (request(more=b"Host: evil.example\r\n"), 400),
        (request(more=b"Content-Length: x\r\n"), 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
    ],
)
def test_whatever_is_asked_the_answer_is_fenced(page, sent, status):
    found, headers = raw(page, sent)
    assert found == status
    require_fenced(headers)


TARGETS = st.sampled_from(
    ["/", "/locate", "/health", "/positions", "/places/", "/static/"]
)


@settings(
    max_examples=120,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(
    st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"X"]),
    TARGETS,
    st.text(st.characters(max_codepoint=255), max_size=12),
    st.sampled_from(["", ".jpg", "?top_k=", "?name=", "%00", "%ed%b0%80"]),
    st.sampled_from(
        [b"", b"Content-Type: multipart/form-data; boundary=\r\n"]
        + [b"Content-Type: multipart/form-data; boundary=x; charset=utf-7\r\n"]
        + [b"Origin: null\r\n", b"Sec-Fetch-Site: cross-site\r\n"]
    ),
)
def test_so_is_any_answer(page, method, start, text, end, more):
    target = (start + text + end).encode("latin-1")
    answer = raw(page, request(method, target, more=more))
    # A line break among the target ends the request there.
    assert answer is not None
    assert answer[0] != 500
    require_fenced(answer[1])


def test_a_failure_of_ours_is_fenced(page, monkeypatch):
    def fail(*asked, **named):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(page.localizer, "locate", fail)
    for path in ("/locate", "/"):
        status, headers, content = page.ask("POST", path, page.sound)
        assert (status, b"failed" in content) == (500, True)
        assert b"mistake" not in content
        for name in HEADERS:
            assert len(headers.get_all(name)) == 1


def test_one_client_s_connections_leave_room_for_others(page):
    idle = []
    address = ("127.0.0.1", page.port)
    try:
        for _ in range(24):
            idle.append(socket.create_connection(address, 20))
        page.wait_for(lambda: raw(page, request())[0] == 503)
        _, headers = raw(page, request())
        require_fenced(headers)
        assert raw(page, request(), "127.0.0.2")[0] == 200
    finally:
        for line in idle:
            line.close()
    page.wait_for(lambda: raw(page, request())[0] == 200)


def answer_to(method="POST", scheme="http", hosts=None, **headers):
    """The status that a Guard lets through."""
    sent = []
    scope = {
        "type": "http",
        "method": method,
        "scheme": scheme,
        "server": ("127.0.0.1", 7860),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in headers.items()
        ],
    }

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    guard = Guard(PlainTextResponse("x"), hosts or Hosts.of("127.0.0.1"))
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"]


HERE = "http://localhost:7860"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": HERE}, 200),
        ({"origin": "http://LOCALHOST:7860"}, 200),
        ({"origin": HERE, "sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "anything"}, 403),
        ({"origin": HERE, "sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://evil.example:7860"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "http://localhost:8080"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 403),
        ({"origin": "https://localhost:7860"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "file://"}, 403),
        ({"origin": "chrome-extension://localhost:7860"}, 403),
        ({"origin": f"{HERE}/"}, 403),
        ({"origin": f"{HERE} http://evil.example"}, 403),
        ({"origin": "http://localhost:7860@evil.example"}, 403),
        (
            {
                "origin": "http://evil.example",
                "sec_fetch_site": "same-origin",
            },
            403,
        ),
    ],
)
def test_where_an_upload_comes_from(headers, status):
    assert answer_to(host="localhost:7860", **headers) == status
    # To look at the page is open to all whom browsers let see it.
    assert answer_to("GET", host="localhost:7860", **headers) == 200


def test_a_proxy_may_do_the_encryption():
    hosts = Hosts.of("0.0.0.0", ["maps.example.org"])
    host = "maps.example.org"
    assert answer_to(hosts=hosts, host=host, origin=f"http://{host}") == 200
    # Only the browser can tell.
    secure = {"hosts": hosts, "host": host, "origin": f"https://{host}"}
    assert answer_to(**secure) == 403
    assert answer_to(**secure, sec_fetch_site="same-origin") == 200
    assert answer_to(scheme="https", **secure) == 200


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_only_one_origin_is_ours(text):
    status = answer_to(host="localhost:7860", origin=text)
    assert status == (200 if text.lower() == HERE else 403)
