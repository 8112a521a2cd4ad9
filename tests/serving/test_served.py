"""The program with a real, tiny model: same answers, fuzz, a browser."""

import json
import random
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from mgtl_tf.workflows.index import index_gallery
from mgtl_tf.workflows.locate import locate_images
from tests.exports import picture
from tests.large import served_page, upload_kinds

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture(scope="module")
def folder(tiny_export, tmp_path_factory):
    """An exported model, a gallery of six places, a panorama."""
    root = tmp_path_factory.mktemp("served")
    (root / "export").symlink_to(tiny_export.folder)
    lines = ["id,latitude,longitude"]
    lines += [f"{i},{47 + 6 * i / 10_000},7.5" for i in range(1, 6)]
    (root / "where.csv").write_text("\n".join(lines))
    picture(root / "panorama.jpg", 32, 160, 51)
    (root / "bad.jpg").write_text("<html>")
    aerial = tiny_export.root / "aerial"
    index_gallery(root / "export", [aerial], root / "index", root / "where.csv")
    return root


@pytest.fixture(scope="module")
def served(folder):
    arguments = f"--model={folder}/export", f"--gallery={folder}/index"
    with served_page.served(*arguments) as (page, pid):
        yield page, pid


# Two processes need not take the same instructions, threads or batches. A
# similarity is a product of unit vectors, rounded to 1e-6 where it is told;
# a float32 network of ten layers, each a sum of at most 1,000 products, has a
# relative error of some 10 * sqrt(1000) * 2^-24 = 2e-5 in the vectors. Another
# image, crop or decoder is off by more than 1e-3.
APART = 1e-4


def without_figures(answer):
    """Without what names files, how long it took, and network outputs."""
    left_out = ("image", "similarity")
    answers = [
        {k: v for k, v in one.items() if k not in left_out}
        for one in answer["answers"]
    ]
    own = {k: v for k, v in answer.items() if k not in ("seconds", "image")}
    return own | {"answers": answers}


def similarities(answer):
    return [one["similarity"] for one in answer["answers"]]


@pytest.mark.parametrize(
    ("top_k", "turns"), [(1, False), (6, False), (6, True)]
)
def test_command_and_endpoint_say_the_same(folder, served, top_k, turns):
    page, _ = served
    path = folder / "panorama.jpg"
    told = locate_images(
        folder / "export",
        folder / "index",
        [path],
        top_k,
        "json",
        unknown_heading=turns,
    )
    (command,) = json.loads(told.text)
    body, kind = served_page.form(path.read_bytes(), "panorama.jpg")
    query = f"/locate?top_k={top_k}&unknown_heading={turns}"
    status, content = page.ask("POST", query, body, content_type=kind)
    (answer,) = json.loads(content)
    assert status == 200 and len(answer["answers"]) == top_k
    assert answer["image"] == "panorama.jpg"
    assert answer.pop("warnings", []) == told.warnings
    told, expected = similarities(answer), similarities(command)
    # These places are further apart than that: their order is one, too.
    assert np.abs(np.diff(expected)).min(initial=1) > 2 * APART
    assert told == pytest.approx(expected, abs=APART)
    assert without_figures(answer) == without_figures(command)
    assert answer.keys() == command.keys()
    assert (answer["answers"][0]["heading"] is not None) == turns
    for one, other in zip(answer["answers"], command["answers"], strict=True):
        sent = page.ask("GET", one["image"])[1]
        shown = cv2.imdecode(np.frombuffer(sent, np.uint8), 0)
        file = cv2.imread(other["image"], 0)
        small = cv2.resize(shown, file.shape, interpolation=cv2.INTER_AREA)
        assert np.corrcoef(small.ravel(), file.ravel())[0, 1] > 0.98


def test_a_circle_is_searched(folder, served):
    page, _ = served
    near = "/locate?near=47.0018,7.5&radius=90"
    image = (folder / "panorama.jpg").read_bytes()
    (answer,) = json.loads(page.ask("POST", near, image)[1])
    # Six ten-thousandths of a degree of latitude are 66.7 m.
    ids = sorted(one["id"] for one in answer["answers"])
    assert ids == ["2", "3", "4"]
    warning, squeezed = answer["warnings"]
    assert warning.startswith("near: 1 of 6 places of the gallery has no pos")
    body, kind = served_page.form(image)
    status, content = page.ask(
        "POST", near.replace("locate", ""), body, content_type=kind
    )
    assert status == 200 and warning.encode() in content
    far = "/locate?near=0,0&radius=15"
    status, content = page.ask("POST", far, image)
    assert status == 422 and b"radius=15" in content


SLOW = ("stalled", "endless", "largest blank", "slow scans")


def test_bad_uploads_leave_it_as_it_was(folder, served):
    """One of each kind; tests/large/test_uploads.py sends 500."""
    page, pid = served
    sound = (folder / "panorama.jpg").read_bytes()
    before, expected = (
        served_page.memory(pid),
        served_page.answers(page, sound),
    )
    kinds = [kind for kind in upload_kinds.KINDS if kind not in SLOW]
    assert len(kinds) >= 20
    with ThreadPoolExecutor(4) as pool:
        wrong = pool.map(
            lambda kind: upload_kinds.upload(
                page, kind, random.Random(kind), sound
            ),
            kinds,
        )
        assert [line for line in wrong if line] == []
    assert served_page.answers(page, sound) == expected
    assert served_page.memory(pid, "VmHWM") - before < 0.5


def test_it_is_reached_from_this_machine_only(served):
    page, _ = served
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing; tells which address others see.
        probe.connect(("203.0.113.1", 9))
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    with pytest.raises(OSError):
        socket.create_connection((own, page.port), timeout=2)


@contextmanager
def browser(profile):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=1300,900",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="chromium and chromedriver are not installed"
    " (apt-get install chromium chromium-driver)",
)
def test_in_a_browser(folder, served, tmp_path):
    """Upload, result, error for a bad file, result again."""
    page, _ = served
    sound = (folder / "panorama.jpg").read_bytes()
    with browser(tmp_path / "profile") as driver:

        def find(selector):
            return driver.find_elements("css selector", selector)

        def wait_for(selector):
            end = time.monotonic() + 30
            while not find(selector):
                assert time.monotonic() < end, driver.page_source[-3000:]
                time.sleep(0.05)
            return find(selector)

        def choose(name):
            find("#image")[0].send_keys(str(folder / name))

        driver.get(f"http://127.0.0.1:{page.port}")
        wait_for("html[data-ready]")
        assert find("#map")[0].is_displayed() and not find(".answer")
        choose("panorama.jpg")
        found = wait_for(".answer")
        expected = served_page.answers(page, sound)
        assert [card.text.split("\n")[1] for card in found] == [
            answer["id"] for answer in expected
        ]
        placed = [a for a in expected if a["latitude"] is not None]
        assert [
            b.get_attribute("data-copy") for b in find(".answer .copy")
        ] == [f"{a['latitude']:.6f}, {a['longitude']:.6f}" for a in placed]
        shown = driver.execute_script(
            "return [...document.images].filter(i => i.closest('#result'))"
            ".map(i => [i.naturalWidth, i.clientWidth])"
        )
        # Panorama and unrolled answer, pixel under pixel; then the cards.
        assert shown[0] == shown[1] and shown[0][0] == 1232
        assert [width for width, _ in shown[2:]] == [320] * 5
        # Scale, and the first answer's picture when it is pointed at.
        bar = find(".leaflet-control-scale-line")[0]
        assert bar.text.endswith(" m")
        found[0].find_element("css selector", ".picture").click()
        assert "selected" in found[0].get_attribute("class")
        view = find("#map .view")[0]
        from selenium.webdriver import ActionChains

        ActionChains(driver).move_to_element(view).perform()
        tip = wait_for(".leaflet-tooltip .tip .copy")[0]
        first = f"{placed[0]['latitude']:.6f}, {placed[0]['longitude']:.6f}"
        assert tip.get_attribute("data-copy") == first
        # A click keeps it, and takes it as the middle of a search.
        view.click()
        wait_for(".leaflet-popup .near")[0].click()
        assert find("[name=near]")[0].get_attribute("value") == first
        radius = find("[name=radius]")[0]
        assert radius.is_displayed() and radius.get_attribute("value") == "200"
        find("[name=near]")[0].clear()
        radius.clear()
        find("[data-zoom='0']")[0].click()

        def boxes(selector):
            return driver.execute_script(
                "return [...document.querySelectorAll(arguments[0])]"
                ".map(e => e.getBoundingClientRect())"
                ".map(b => [b.x, b.y, b.width, b.height])",
                selector,
            )

        def middle(box):
            return np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])

        # The scale bar against the ellipsoid, between the first two pins.
        pins = [middle(box) for box in boxes(".pin")[:2]]
        apart = np.hypot(*(pins[0] - pins[1]))
        metre = apart / placed[1]["metres_from_first"]
        width = driver.execute_script(
            "return parseFloat(arguments[0].style.width)", bar
        )
        # Leaflet places pins, and draws the bar, in whole pixels.
        assert width / float(bar.text.split()[0]) == pytest.approx(
            metre, rel=0.005 + 2 / apart
        )
        # North is up.
        north = placed[1]["latitude"] > placed[0]["latitude"]
        assert (pins[1][1] < pins[0][1]) == north
        # The aerial images lie on the map, the first answer's above others.
        image = f".answered[src='{placed[0]['image']}']"
        (box,) = boxes(image)
        # As wide as the places are apart.
        assert box[2:] == pytest.approx([66.7 * metre] * 2, rel=0.01, abs=1)
        assert middle(box) == pytest.approx(pins[0], abs=2)
        others = find(".leaflet-images-pane img")
        assert len(others) >= 3 and all(
            driver.execute_async_script(
                "const [image, done] = arguments;"
                "image.decode().then(() => done(image.naturalWidth))",
                one,
            )
            == 320
            for one in others
        )
        # North may be anywhere, and the heading is told.
        find("[name=unknown_heading]")[0].click()
        find("button.main")[0].click()
        (heading,) = wait_for(".heading")
        (turned,) = json.loads(
            page.ask("POST", "/locate?unknown_heading=yes", sound)[1]
        )
        told = f"{turned['answers'][0]['heading']:.0f}°"
        assert heading.text.startswith(told) and len(find(".answer")) == 5
        assert told in find(".answer")[0].text
        find("[name=unknown_heading]")[0].click()
        choose("bad.jpg")
        (alert,) = wait_for("[role=alert]")
        assert "a web page" in alert.text and not find(".answer")
        choose("panorama.jpg")
        assert len(wait_for(".answer")) == 5
        # Only the refused upload is an error, and nothing came from afar.
        log = [line["message"] for line in driver.get_log("browser")]
        assert all("422" in line for line in log), log
        names = driver.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.name)"
        )
        assert names and all(
            name.startswith((f"http://127.0.0.1:{page.port}/", "data:"))
            for name in names
        )
