"""The page and the endpoint over a real socket."""

import asyncio
import errno
import json
import os
import re
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.formparsers import MultiPartParser

from mgtl_tf.retrieval.answer_formats import as_json
from mgtl_tf.serving.limits import Refused, WorkQueue
from polar.image_files import decode
from tests.large import bad_images

BOUNDARY = "xyz"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(image, name="a.jpg", **fields):
    """A form as browsers send it."""
    parts = []
    for key, value in fields.items():
        parts.append(f'name="{key}"\r\n\r\n{value}'.encode())
    head = f'name="image"; filename="{name}"\r\nContent-Type: image/jpeg'
    parts.append(head.encode() + b"\r\n\r\n" + image)
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    end = f"--{BOUNDARY}--\r\n".encode()
    return b"".join(start + part + b"\r\n" for part in parts) + end


def plain_text(content):
    return " ".join(re.sub(r"<[^>]*>", " ", content.decode()).split())


def test_the_endpoint_says_what_the_command_says(page):
    status, found = page.locate(form(page.sound, "p.jpg"), content_type=FORM)
    assert status == 200
    expected = page.localizer.locate(b"")
    (command,) = json.loads(as_json([expected]))
    for row, answer in enumerate(command["answers"]):
        answer["image"] = f"/places/{row}.jpg"
    assert found == [{**command, "image": "p.jpg"}]


def test_nothing_tells_where_files_lie(page):
    folder = str(page.localizer.index.places[0].image.parent)
    _, found = page.locate(page.sound)
    assert folder not in json.dumps(found)
    for address in (answer["image"] for answer in found[0]["answers"]):
        assert page.ask(path=address)[0] in (200, 404)
    for form_or_bytes in (form(page.sound), form(b"<html>")):
        _, _, content = page.ask("POST", "/", form_or_bytes, content_type=FORM)
        assert folder.encode() not in content


def centre(content):
    """Mean colour of the middle of the page's first picture."""
    found = re.search(rb'<img src="data:image/jpeg;base64,([^"]+)"', content)
    import base64

    file = np.frombuffer(base64.b64decode(found[1]), np.uint8)
    return cv2.imdecode(file, 1)[:, 600:632].mean(axis=(0, 1))


def test_an_unknown_heading(page):
    """The middle looks east, so north is a quarter to the left of it."""
    image = np.zeros((32, 128, 3), np.uint8)
    image[:, 24:40] = (0, 0, 255)
    sound = cv2.imencode(".png", image)[1].tobytes()
    body = form(sound, unknown_heading="on")
    _, _, content = page.ask("POST", "/", body, content_type=FORM)
    assert page.localizer.asked[-1][4] is True
    text = plain_text(content)
    assert "Heading 90&deg;" in text and "heading 90&deg;" in text
    assert "turned so that north is in the centre" in text
    assert centre(content) == pytest.approx([0, 0, 254], abs=8)
    _, found = page.locate(sound, "?unknown_heading=yes")
    assert found[0]["answers"][0]["heading"] == 90
    _, _, content = page.ask("POST", "/", form(sound), content_type=FORM)
    assert b"Heading" not in content
    assert centre(content) == pytest.approx([0, 0, 0], abs=8)


def test_a_heading_that_the_file_tells(page):
    """The model and the page are given it turned, and it is said."""
    image = np.arange(32 * 128 * 3, dtype=np.uint8).reshape(32, 128, 3)
    content = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    turned = np.roll(decode(content), 32, axis=1)
    noted = bad_images.noted(content, 90)
    status, found = page.locate(noted)
    assert (status, found[0]["heading_read"]) == (200, 90)
    np.testing.assert_array_equal(page.localizer.asked[-1][0], turned)
    _, _, shown = page.ask("POST", "/", noted)
    text = plain_text(shown)
    assert "looks 90&deg;, turned so that north is in the centre" in text
    # North may be anywhere: then the note is nothing to go by.
    page.locate(noted, "?unknown_heading=yes")
    np.testing.assert_array_equal(page.localizer.asked[-1][0], decode(content))


def test_a_large_panorama_of_unknown_heading_is_made_smaller(page):
    """Twenty turns of it would take more memory than any one image may."""
    large = cv2.imencode(".png", np.zeros((1200, 4000, 3), np.uint8))[1]
    status, _ = page.locate(large.tobytes(), "?unknown_heading=1")
    taken = page.localizer.asked[-1][0]
    size = taken.shape
    assert status == 200 and 0.98 < size[0] * size[1] / (2**26 / 20) <= 1
    assert size[1] / size[0] == pytest.approx(4000 / 1200, rel=0.01)
    page.locate(large.tobytes())
    assert page.localizer.asked[-1][0].shape == (1200, 4000, 3)


def test_pixels_and_question_reach_the_localizer_unchanged(page):
    query = "?top_k=2&near=46.5,%207.25&radius=300&name=x.png"
    status, found = page.locate(page.sound, query)
    assert (status, found[0]["image"]) == (200, "x.png")
    fields = {"top_k": 2, "near": "46.5,7.25", "radius": "300"}
    body = form(page.sound, **fields)
    assert page.locate(body, "?top_k=1", content_type=FORM)[0] == 200
    expected = decode(page.sound)
    assert len(page.localizer.asked) == 2
    for image, *asked in page.localizer.asked:
        np.testing.assert_array_equal(image, expected)
        assert asked == [2, (46.5, 7.25), 300.0, False]


def test_the_page_shows_the_answer(page):
    status, headers, content = page.ask(
        "POST", "/", form(page.sound), content_type=FORM
    )
    text = plain_text(content)
    assert status == 200 and "no-store" in headers["cache-control"]
    assert "Likely: 75 % that it was taken within 25 m of answer 1" in text
    assert "47.000000, 7.500000" in text and "111 m from #1" in text
    assert "0.12 s" in text and "no position" in text
    # The gallery's ids are text, and what can't be read is said.
    assert b"<b>two" not in content and text.count("no picture") == 2
    assert "three" in text and b'role="alert"' not in content


def test_both_strips_are_pictures_of_one_width(page):
    _, _, content = page.ask("POST", "/", form(page.sound), content_type=FORM)
    found = re.findall(rb'<img src="data:image/jpeg;base64,([^"]+)"', content)
    import base64

    images = [
        cv2.imdecode(np.frombuffer(base64.b64decode(f), np.uint8), 1)
        for f in found
    ]
    assert [i.shape for i in images] == [
        (224, 1232, 3),
        (224, 1232, 3),
        (320, 320, 3),
    ]


def test_without_a_confidence_the_reason_is_told(page):
    page.localizer.confidence = None
    _, _, content = page.ask("POST", "/", form(page.sound), content_type=FORM)
    text = plain_text(content)
    assert "Its confidence is unknown: not calibrated." in text
    assert "Best match: one" in text


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"", {}, 422, "is empty"),
        (b"<svg onload=alert(1)>", {}, 422, "neither JPEG nor PNG nor TIFF"),
        (form(b"<html>", "cat.jpg"), {"content_type": FORM}, 422, "a web page"),
        (form(b""), {"content_type": FORM}, 422, "is empty"),
        (b"x", {"content_type": FORM}, 422, "is empty"),
        (b"x", {"content_type": "multipart/form-data"}, 400, "boundary"),
        (b"--xyz--\r\n", {"content_type": FORM}, 400, "'image'"),
        (b"--xyz\r\nA: b\r\n\r\n", {"content_type": FORM}, 400, "form"),
    ],
)
def test_bad_uploads_get_a_reason_on_both_ways(
    page, body, headers, status, said
):
    if body == b"x" and headers["content_type"] == FORM:
        status, said = 400, "form"
    found, answer = page.locate(body, **headers)
    assert found == status and said in answer["error"], answer
    found, kind, content = page.ask("POST", "/", body, **headers)
    assert found == status and b'role="alert"' in content
    assert kind["content-type"] == "text/html; charset=utf-8"
    assert not page.localizer.asked
    assert b"<svg onload" not in content


def test_file_names_are_text(page):
    for name in ("<script>alert(1)</script>.jpg", "..\\..\\a\x1b.jpg"):
        body = form(page.sound, name)
        _, _, content = page.ask("POST", "/", body, content_type=FORM)
        assert b"<script>alert" not in content
    assert b'class="name">a.jpg<' in content


def test_an_image_of_the_limit_passes_and_one_byte_more_does_not(page):
    most = 100_000
    full = page.sound[:-2] + bytes(most - len(page.sound)) + page.sound[-2:]
    for wrap, headers in ((bytes, {}), (form, {"content_type": FORM})):
        assert page.locate(wrap(full), **headers)[0] == 200
    status, answer = page.locate(form(full + b"x"), content_type=FORM)
    assert status == 413 and "larger than 0.0953674 MB" in answer["error"]
    # A bare image has a form's room, and is then too long all the same.
    assert page.locate(full + b"x" * 2**17)[0] == 413


def test_a_body_without_a_length_is_cut_at_the_limit(page):
    pieces = (bytes(10_000) for _ in range(100))
    assert page.locate(pieces)[0] == 413
    assert not page.localizer.asked


def unfinished(page, sent, length=50_000):
    connection = page.connect()
    connection.putrequest("POST", "/locate")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    connection.send(sent)
    return connection


def test_a_stalled_upload_is_ended(page):
    connection = unfinished(page, page.sound[:100])
    answer = connection.getresponse()
    assert answer.status == 408
    assert "in time" in json.loads(answer.read())["error"]
    connection.close()


def test_a_drip_is_ended_too(page):
    connection = unfinished(page, b"")
    start = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() < start + 10:
            connection.send(b"x")
            time.sleep(0.1)
    # Though no piece is late: it comes at too low a rate.
    assert time.monotonic() - start < 5
    connection.close()


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_a_head_that_does_not_end_is_ended(page, start):
    with socket.create_connection(("127.0.0.1", page.port)) as connection:
        connection.settimeout(10)
        connection.sendall(start)
        begin = time.monotonic()
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
    assert 0.8 < time.monotonic() - begin < 5


def test_chunks_of_a_byte_are_ended(page):
    """They take the server some thousand times as long as the sender."""
    head = b"POST /locate HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", page.port), 20) as connection:
        connection.sendall(head)
        # Far from what is too much or too late.
        with pytest.raises(ConnectionError):
            for _ in range(8):
                connection.sendall(b"1\r\nx\r\n" * 10_000)
            assert connection.recv(1) == b""
            raise ConnectionError
    pieces = [page.sound[i : i + 500] for i in range(0, len(page.sound), 500)]
    assert page.locate(iter(pieces))[0] == 200


def test_hanging_up_frees_the_place(page):
    for _ in range(6):
        unfinished(page, page.sound[:100]).close()
    page.wait_for(lambda: page_requests(page) == 0)
    assert page.locate(page.sound)[0] == 200
    assert len(page.localizer.asked) == 1


def page_requests(page):
    return json.loads(page.ask(path="/health")[2])["requests"]


def test_one_at_a_time_and_no_more_than_the_places(page):
    page.localizer.go.clear()
    with ThreadPoolExecutor(6) as pool:
        sent = [pool.submit(page.locate, page.sound) for _ in range(6)]
        # Three have places; the page answers others and the rest is refused.
        page.wait_for(lambda: sum(s.done() for s in sent) == 3)
        assert page_requests(page) == 3
        assert page.ask()[0] == 200
        assert page.localizer.most_together == 1
        page.localizer.go.set()
        statuses = sorted(s.result()[0] for s in sent)
    assert statuses == [200, 200, 200, 503, 503, 503]
    assert page.localizer.most_together == 1
    assert len(page.localizer.asked) == 3
    assert page.locate(page.sound)[0] == 200


@pytest.mark.parametrize(
    "charset",
    ["undefined", "punycode", "utf-7", "idna", "rot13", "utf-16", "", "\xff"]
    + ["unicode_escape", "cp65001", "zlib", '"a', "x" * 4000],
)
def test_a_form_of_any_character_set(page, charset):
    """A form's text is UTF-8, whatever else a sender says."""
    body = form(page.sound, "a\u00e9\xff.jpg", top_k="2")
    for kind in (f"{FORM}; charset={charset}", f"{FORM};charset*={charset}"):
        status, found = page.locate(body, content_type=kind.encode("latin-1"))
        assert (status, found[0]["image"]) == (200, "a\u00e9\xff.jpg")
        assert page.localizer.asked[-1][1] == 2


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 5000,
        "multipart/form-data; boundary=\xff",
        'multipart/form-data; boundary="a\\"b',
        "multipart/form-data; boundary*=utf-8''xyz",
        "multipart/form-data; charset=utf-7",
        "multipart/form-data;;;=",
    ],
)
def test_a_form_without_its_boundary(page, kind):
    status, answer = page.locate(
        form(page.sound), content_type=kind.encode("latin-1")
    )
    assert status == 400 and "form" in answer["error"]


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"name", b"filename", b"charset", b"Content-Type", b""]),
)
def test_any_head_of_a_part_is_answered(served_paper, noise, name):
    noise = noise.replace(b"\r\n", b"")
    head = b"--xyz\r\nContent-Disposition: form-data; " + name + b"=" + noise
    body = head + b"\r\n\r\n1\r\n--xyz--\r\n"
    status, answer = served_paper.locate(body, content_type=FORM)
    assert status in (400, 422) and answer["error"]


def test_a_field_counts_once(page):
    body = form(page.sound, top_k=1)
    twice = body[: -len(f"--{BOUNDARY}--\r\n")] + form(b"x", top_k=2)
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"'
    image = f"{part}\r\n\r\nx\r\n".encode() + body
    for sent, name in ((twice, "top_k"), (image, "image")):
        status, answer = page.locate(sent, content_type=FORM)
        assert status == 400, name
    status, answer = page.locate(page.sound, "?top_k=1&top_k=2")
    assert (status, answer["error"]) == (
        400,
        "top_k: given twice in the address",
    )
    status, answer = page.locate(page.sound, "?topk=1")
    assert status == 400 and answer["error"].startswith("topk: no such field")
    assert not page.localizer.asked


def test_a_full_disk_is_no_matter(page, monkeypatch):
    """Forms and pictures; of images that are taken nothing is written."""

    def full(*given, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    large = page.sound[:-2] + bytes(98_000 - len(page.sound)) + b"\xff\xd9"
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1000)
    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, full)
    for path in ("/", "/locate"):
        body = form(large)
        assert page.ask("POST", path, body, content_type=FORM)[0] == 200
        assert page.ask("POST", path, large)[0] == 200
    assert len(page.localizer.asked) == 4
    assert page.ask(path="/places/0.jpg")[0] == 200
    assert page.ask()[0] == 200


def test_names_that_are_not_utf_8(page):
    """Of places: spelled as in what the command writes."""
    page.localizer.first = 3
    status, found = page.locate(page.sound)
    assert status == 200 and found[0]["answers"][2]["id"] == r"\xe9\xff"
    assert found[0]["answers"][2]["image"] == "/places/5.jpg"
    status, _, content = page.ask(
        "POST", "/", form(page.sound), content_type=FORM
    )
    assert status == 200 and rb"<h3>\xe9\xff</h3>" in content
    content.decode("utf-8")


def test_a_client_leaves_places_to_others():
    """Three places; whoever has two must let the others in."""
    turns = WorkQueue(3, 2, 1.0)
    with turns.place("a"), turns.place("a"):
        with (
            pytest.raises(Refused, match="of yours") as error,
            turns.place("a"),
        ):
            pass
        assert error.value.status == 503
        with turns.place("b"):
            assert turns.taken == 3
            with pytest.raises(Refused, match="too many"), turns.place("c"):
                pass
    assert turns.taken == 0 and turns.place("a")


def test_one_client_s_work_leaves_a_worker_to_others():
    """What takes long for one is not waited for by another."""

    async def both():
        turns = WorkQueue(9, 9, 0.2, workers=2)
        end = threading.Event()
        first = asyncio.create_task(turns.run(lambda: end.wait(20), "a"))
        await asyncio.sleep(0)
        try:
            with pytest.raises(Refused, match="busy"):
                await turns.run(lambda: 1, "a")
            assert await turns.run(lambda: 2, "b") == 2
        finally:
            end.set()
        assert await first
        return await turns.run(lambda: 3, "a")

    assert asyncio.run(both()) == 3


def test_the_page_loads_nothing_from_elsewhere(page):
    texts = [page.ask()[2].decode()]
    for name in ("page.css", "page.js", "map.js", "icon.svg"):
        texts.append(page.ask(path=f"/static/{name}")[2].decode())
    for text in texts:
        found = set(re.findall(r"(?:https?:)?//[\w.:-]+\.[\w:]+", text))
        assert found <= {"http://www.w3.org", f"http://127.0.0.1:{page.port}"}
    # Nothing that the policy would stop, either.
    assert " style=" not in texts[0] and " onclick=" not in texts[0]
    # The browser test sees that Leaflet, which names its site, asks nobody.
    for name in ("leaflet.js", "leaflet.css", "LICENSE"):
        assert page.ask(path=f"/static/vendor/leaflet/{name}")[0] == 200


def test_the_openapi_document_names_all_fields(page):
    """A field beside the image that it names is taken; others are refused."""
    status, headers, content = page.ask(path="/openapi.json")
    assert status == 200 and headers["content-type"] == "application/json"
    locate = json.loads(content)["paths"]["/locate"]["post"]
    names = [one["name"] for one in locate["parameters"]]
    form = locate["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert [*form["properties"]] == ["image", *names]
    assert page.locate(page.sound, f"?{'=&'.join(names)}=")[0] == 200


def test_positions_and_pictures_are_the_gallery_s(page):
    _, _, content = page.ask(path="/positions")
    found = np.frombuffer(content, "<f8").reshape(-1, 2)
    np.testing.assert_array_equal(
        found, [[47.0, 7.5], [47.001, 7.5], *[[np.nan, np.nan]] * 4]
    )
    _, headers, content = page.ask(path="/places/0.jpg")
    assert headers["content-type"] == "image/jpeg"
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    assert decoded.shape == (320, 320, 3)
