"""The page and the endpoint over a real socket."""

import base64
import errno
import json
import os
import re
import socket
import tempfile
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


def shown(page, body, **headers):
    """The page about an upload: its bytes, and its text."""
    _, _, content = page.ask("POST", "/", body, **headers)
    return content, " ".join(re.sub(r"<[^>]*>", " ", content.decode()).split())


def pictures(content):
    found = re.findall(rb'<img src="data:image/jpeg;base64,([^"]+)"', content)
    files = [np.frombuffer(base64.b64decode(file), np.uint8) for file in found]
    return [cv2.imdecode(file, 1) for file in files]


def test_the_endpoint_says_what_the_command_says(page):
    status, found = page.locate(form(page.sound, "p.jpg"), content_type=FORM)
    assert status == 200
    (command,) = json.loads(as_json([page.localizer.locate(b"")]))
    for row, answer in enumerate(command["answers"]):
        answer["image"] = f"/places/{row}.jpg"
    assert found == [{**command, "image": "p.jpg"}]
    # Nothing tells where files lie.
    folder = str(page.localizer.index.places[0].image.parent)
    contents = [page.ask("POST", "/", b)[2] for b in (page.sound, b"<html>")]
    assert folder not in json.dumps(found) + str(contents)


@pytest.mark.parametrize("heading", ["unknown", "noted", None])
def test_headings(page, heading):
    """A red column in the north: it stands in the middle where it is known.

    Where north may be anywhere, the note in the file is nothing to go by.
    """
    image = np.zeros((32, 128, 3), np.uint8)
    image[:, 24:40] = (0, 0, 255)
    sound = cv2.imencode(".png", image)[1].tobytes()
    if heading:
        sound = bad_images.noted(sound, 90)
    unknown = heading == "unknown"
    fields = {"unknown_heading": "on"} if unknown else {}
    content, text = shown(page, form(sound, **fields), content_type=FORM)
    taken, *_, asked = page.localizer.asked[-1]
    turned = np.roll(decode(sound), 32 if heading == "noted" else 0, axis=1)
    np.testing.assert_array_equal(taken, turned)
    assert asked is unknown
    turned_to_north = "turned so that north is in the centre" in text
    assert turned_to_north == (heading is not None)
    assert ("Heading 90&deg;" in text) == unknown
    assert ("looks 90&deg;" in text) == (heading == "noted")
    centre = pictures(content)[0][:, 600:632].mean(axis=(0, 1))
    wanted = [0, 0, 254] if heading else [0, 0, 0]
    assert centre == pytest.approx(wanted, abs=8)
    query = "?unknown_heading=yes" if unknown else ""
    (found,) = page.locate(sound, query)[1]
    assert (found["answers"][0]["heading"] == 90) == unknown
    assert (found.get("heading_read") == 90) == (heading == "noted")


def test_a_large_panorama_of_unknown_heading_is_made_smaller(page):
    """Twenty rotations of it take no more memory than one image may."""
    large = cv2.imencode(".png", np.zeros((1200, 4000, 3), np.uint8))[1]
    noted = bad_images.noted(large.tobytes(), 90)
    assert page.locate(noted, "?unknown_heading=1")[0] == 200
    size = page.localizer.asked[-1][0].shape
    assert 0.98 < size[0] * size[1] / (2**26 / 20) <= 1
    assert size[1] / size[0] == pytest.approx(4000 / 1200, rel=0.01)
    page.locate(noted)
    assert page.localizer.asked[-1][0].shape == (1200, 4000, 3)


def test_pixels_and_question_reach_the_localizer_unchanged(page):
    query = "?top_k=2&near=46.5,%207.25&radius=300&name=x.png"
    status, found = page.locate(page.sound, query)
    assert (status, found[0]["image"]) == (200, "x.png")
    fields = {"top_k": 2, "near": "46.5,7.25", "radius": "300"}
    body = form(page.sound, **fields)
    assert page.locate(body, "?top_k=1", content_type=FORM)[0] == 200
    assert len(page.localizer.asked) == 2
    for image, *asked in page.localizer.asked:
        np.testing.assert_array_equal(image, decode(page.sound))
        assert asked == [2, (46.5, 7.25), 300.0, False]


def test_the_page_shows_the_answer(page):
    body = form(page.sound)
    status, headers, _ = page.ask("POST", "/", body, content_type=FORM)
    assert status == 200 and "no-store" in headers["cache-control"]
    content, text = shown(page, body, content_type=FORM)
    assert "Likely: 75 % that it was taken within 25 m of answer 1" in text
    assert "47.000000, 7.500000" in text and "111 m from #1" in text
    assert "0.12 s" in text and "no position" in text
    # The gallery's ids are text, and what can't be read is said.
    assert b"<b>two" not in content and text.count("no picture") == 2
    assert "three" in text and b'role="alert"' not in content
    # Both strips, and the one picture that there is.
    sizes = [image.shape for image in pictures(content)]
    assert sizes == [(224, 1232, 3), (224, 1232, 3), (320, 320, 3)]
    assert b'data-metres="25.0"' in content
    # Metres that a calibration is for say nothing where it says nothing.
    page.localizer.confidence, page.localizer.unsure_metres = None, 25.0
    content, text = shown(page, body, content_type=FORM)
    assert b"data-metres" not in content
    assert "Its confidence is unknown: not calibrated." in text
    assert "Best match: one" in text


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"", None, 422, "is empty"),
        (b"<svg onload=alert(1)>", None, 422, "neither JPEG nor PNG nor TIFF"),
        (form(b"<html>", "cat.jpg"), FORM, 422, "a web page"),
        (form(b""), FORM, 422, "is empty"),
        (b"x", FORM, 400, "form"),
        (b"x", "multipart/form-data", 400, "boundary"),
        (b"--xyz--\r\n", FORM, 400, "'image'"),
        (b"--xyz\r\nA: b\r\n\r\n", FORM, 400, "form"),
    ],
)
def test_bad_uploads_get_a_reason_on_both_ways(page, body, kind, status, said):
    headers = {"content_type": kind} if kind else {}
    found, answer = page.locate(body, **headers)
    assert found == status and said in answer["error"], answer
    found, sent, content = page.ask("POST", "/", body, **headers)
    assert found == status and b'role="alert"' in content
    assert sent["content-type"] == "text/html; charset=utf-8"
    assert not page.localizer.asked
    assert b"<svg onload" not in content


def test_file_names_are_text(page):
    for name in ("<script>alert(1)</script>.jpg", "..\\..\\a\x1b.jpg"):
        body = form(page.sound, name)
        content, _ = shown(page, body, content_type=FORM)
        assert b"<script>alert" not in content
    assert b'class="name">a.jpg<' in content


def test_an_image_of_the_limit_passes_and_one_byte_more_does_not(page):
    most = 100_000
    full = page.sound[:-2] + bytes(most - len(page.sound)) + page.sound[-2:]
    for body, headers in ((full, {}), (form(full), {"content_type": FORM})):
        assert page.locate(body, **headers)[0] == 200
    status, answer = page.locate(form(full + b"x"), content_type=FORM)
    assert status == 413 and "larger than 0.0953674 MB" in answer["error"]
    # A bare image has a form's room, and is then too long all the same; so
    # is a body without a length.
    assert page.locate(full + b"x" * 2**17)[0] == 413
    assert page.locate(bytes(10_000) for _ in range(100))[0] == 413
    assert len(page.localizer.asked) == 2


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


def page_requests(page):
    return json.loads(page.ask(path="/health")[2])["requests"]


def test_hanging_up_frees_the_place(page):
    for _ in range(6):
        unfinished(page, page.sound[:100]).close()
    page.wait_for(lambda: page_requests(page) == 0)
    assert page.locate(page.sound)[0] == 200
    assert len(page.localizer.asked) == 1


def test_one_at_a_time_and_no_more_than_the_places(page):
    page.localizer.go.clear()
    with ThreadPoolExecutor(6) as pool:
        sent = [pool.submit(page.locate, page.sound) for _ in range(6)]
        # Three have places; the page answers others and the rest is refused.
        page.wait_for(lambda: sum(s.done() for s in sent) == 3)
        assert page_requests(page) == 3
        assert page.ask()[0] == 200
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
    "rest",
    [
        "; boundary=",
        '; boundary=""',
        "; boundary=" + "x" * 5000,
        "; boundary=\xff",
        '; boundary="a\\"b',
        "; boundary*=utf-8''xyz",
        "; charset=utf-7",
        ";;;=",
    ],
)
def test_a_form_without_its_boundary(page, rest):
    kind = f"multipart/form-data{rest}".encode("latin-1")
    status, answer = page.locate(form(page.sound), content_type=kind)
    assert status == 400 and "form" in answer["error"]


@settings(max_examples=60)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"name", b"filename", b"charset", b"Content-Type", b""]),
)
def test_any_head_of_a_part_is_answered(served_fake, noise, name):
    noise = noise.replace(b"\r\n", b"")
    head = b"--xyz\r\nContent-Disposition: form-data; " + name + b"=" + noise
    body = head + b"\r\n\r\n1\r\n--xyz--\r\n"
    status, answer = served_fake.locate(body, content_type=FORM)
    assert status in (400, 422) and answer["error"]


def test_a_field_counts_once(page):
    body = form(page.sound, top_k=1)
    twice = body[: -len(f"--{BOUNDARY}--\r\n")] + form(b"x", top_k=2)
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"'
    image = f"{part}\r\n\r\nx\r\n".encode() + body
    for sent in (twice, image):
        assert page.locate(sent, content_type=FORM)[0] == 400
    for query, said in (
        ("?top_k=1&top_k=2", "top_k: given twice in the address"),
        ("?topk=1", "topk: no such field"),
    ):
        status, answer = page.locate(page.sound, query)
        assert status == 400 and answer["error"].startswith(said)
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
    """Of places: written as in what the command writes."""
    page.localizer.first = 3
    status, found = page.locate(page.sound)
    assert status == 200 and found[0]["answers"][2]["id"] == r"\xe9\xff"
    assert found[0]["answers"][2]["image"] == "/places/5.jpg"
    content, _ = shown(page, page.sound)
    assert rb"<h3>\xe9\xff</h3>" in content


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
    body = locate["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert [*body["properties"]] == ["image", *names]
    assert page.locate(page.sound, f"?{'=&'.join(names)}=")[0] == 200


def test_positions_and_pictures_are_the_gallery_s(page):
    _, _, content = page.ask(path="/positions")
    found = np.frombuffer(content, "<f8").reshape(-1, 2)
    expected = [[47.0, 7.5], [47.001, 7.5], *[[np.nan, np.nan]] * 4]
    np.testing.assert_array_equal(found, expected)
    _, headers, content = page.ask(path="/places/0.jpg")
    assert headers["content-type"] == "image/jpeg"
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    assert decoded.shape == (320, 320, 3)
