"""The decoded cache: what the files hold, made once, whole or known not."""

import os

import cv2
import numpy as np
import pytest

from mgtl_tf.config import InputForm
from mgtl_tf.datasets.decoded_cache.building import build_cache, build_caches
from mgtl_tf.datasets.decoded_cache.files import CacheSettings, read_state
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource, FileSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock
from mgtl_tf.utils.part_files import UNFINISHED_JSONL, Journal

SIZE = (8, 20)
SETTINGS = CacheSettings("", SIZE, (0.0, 1.0))


def _noise(height, width, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _write(path, image):
    cv2.imwrite(str(path), image[..., ::-1])
    return path


@pytest.fixture
def pairs(tmp_path):
    """Two blocks and a bit."""
    return [
        Pair(
            str(n),
            _write(tmp_path / f"g{n}.png", _noise(20, 50, n)),
            _write(tmp_path / f"a{n}.png", _noise(24, 24, 100 + n)),
        )
        for n in range(37)
    ]


def _build(pairs, folder, size=SIZE, crop=(0.0, 1.0), processes=1):
    settings = CacheSettings("", size, crop)
    return build_cache(pairs, settings, folder, processes, False)


def _fill(pairs, folder, settings=SETTINGS, processes=1, verify=False):
    caches = build_caches(
        {folder: pairs}, settings, processes, False, verify=verify
    )
    return caches[folder]


def _same(cache, pairs, size=SIZE, crop=(0.0, 1.0)):
    rows = np.array([len(pairs) - 1, 0, *range(len(pairs))])
    for cached, decoded in zip(
        cache.load(rows), FileSource(pairs, size, crop).load(rows), strict=True
    ):
        np.testing.assert_array_equal(cached, decoded)
    return True


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_views_of_other_sizes_and_square_aerial_images(pairs, tmp_path):
    form = InputForm(SIZE, (12, 12), "square")
    settings = CacheSettings.of("", form, (0.0, 1.0))
    cache = build_cache(pairs[:3], settings, tmp_path / "c", 1, False)
    ground, satellite = cache.load(np.arange(3))
    assert (ground.shape, satellite.shape) == ((3, 8, 20, 3), (3, 12, 12, 3))
    # Half as large: the mean of four pixels.
    wanted = _noise(24, 24, 101).reshape(12, 2, 12, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(satellite[1], wanted, atol=0.51)
    read = FileSource(pairs[:3], form).load(np.arange(3))
    np.testing.assert_array_equal(read[1], satellite)
    assert settings.pair_bytes == 3 * (8 * 20 + 12 * 12)
    with pytest.raises(UserError, match=r"satellite_size is \[12, 12\], not N"):
        _fill(pairs[:3], tmp_path / "c")


def test_polar_caches_of_one_size_say_what_they_always_said():
    assert SETTINGS.as_json() == {
        "version": 3,
        "dataset": "",
        "image_size": [8, 20],
        "ground_crop": [0.0, 1.0],
        "sampling_rule": "area-bilinear-3",
    }


def test_any_number_of_processes_makes_the_same_bytes(pairs, tmp_path):
    """Manifest, order and pixels, with a file that cannot be used."""
    pairs[20].aerial.write_bytes(b"text")
    for processes in (1, 3):
        _fill(pairs, tmp_path / f"{processes}", processes=processes)
    assert _bytes(tmp_path / "1") == _bytes(tmp_path / "3")
    source = CacheSource(tmp_path / "3")
    assert len(source) == 37
    assert isinstance(source.arrays["ground"], np.memmap)


def test_nothing_is_decoded_twice(pairs, tmp_path):
    _build(pairs, tmp_path / "c")
    before = _bytes(tmp_path / "c"), os.stat(tmp_path / "c/ground.npy")
    for path in tmp_path.glob("*.png"):
        status = path.stat()
        path.write_bytes(b"?" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    _build(pairs, tmp_path / "c")
    after = os.stat(tmp_path / "c/ground.npy")
    assert _bytes(tmp_path / "c") == before[0]
    assert after.st_mtime_ns == before[1].st_mtime_ns


def test_cache_is_remade_when_anything_changes(pairs, tmp_path):
    folder = tmp_path / "c"
    _build(pairs, folder)
    assert _same(_build(pairs, folder, (9, 20)), pairs, (9, 20))
    crop = (0.2, 0.8)
    assert _same(_build(pairs, folder, (9, 20), crop), pairs, (9, 20), crop)
    _write(pairs[20].ground, _noise(20, 50, 77))
    assert _fill(pairs, folder, CacheSettings("", (9, 20), crop)).made == 1
    assert _same(CacheSource(folder), pairs, (9, 20), crop)
    (folder / "manifest.json").write_text("{")
    assert _same(_build(pairs, folder), pairs)


@pytest.mark.parametrize("count", [3, 16, 21, 36])
def test_a_list_of_another_length(pairs, tmp_path, count):
    """As when a broken row was mended: what stands before it is kept."""
    _fill(pairs[:count], tmp_path / "c")
    filled = _fill(pairs, tmp_path / "c")
    assert filled.made == 3 - count // 16
    _fill(pairs, tmp_path / "whole")
    assert _bytes(tmp_path / "c") == _bytes(tmp_path / "whole")
    shorter = pairs[1:count]
    _fill(shorter, tmp_path / "c")
    assert _same(CacheSource(tmp_path / "c"), shorter)


def test_unusable_files_are_named_and_decoded_once(pairs, tmp_path):
    """A repaired one is seen, even where size and time are the same."""
    good, status = pairs[1].ground.read_bytes(), pairs[1].ground.stat()
    pairs[1].ground.write_bytes(b"?" * len(good))
    pairs[35].aerial.unlink()
    for made in (3, 0):
        filled = _fill(pairs, tmp_path / "c")
        assert filled.made == made
        assert [row for row, _, _ in filled.left_out()] == [1, 35]
        with pytest.raises(UserError) as error:
            _build(pairs, tmp_path / "c")
        assert "g1.png: is neither" in str(error.value)
        assert "a35.png: No such file" in str(error.value)
    os.utime(pairs[1].ground, ns=(status.st_atime_ns, status.st_mtime_ns))
    _fill(pairs, tmp_path / "c")
    pairs[1].ground.write_bytes(good)
    os.utime(pairs[1].ground, ns=(status.st_atime_ns, status.st_mtime_ns))
    _write(pairs[35].aerial, _noise(24, 24, 135))
    assert _fill(pairs, tmp_path / "c").made == 2
    assert _same(_build(pairs, tmp_path / "c"), pairs)


def test_files_that_are_gone_take_nothing_away(pairs, tmp_path):
    _build(pairs, tmp_path / "c")
    before = _bytes(tmp_path / "c")
    for pair in pairs:
        pair.ground.unlink()
    _fill(pairs, tmp_path / "c")
    assert _bytes(tmp_path / "c") == before


def test_verify_finds_one_changed_bit(pairs, tmp_path):
    folder = tmp_path / "c"
    _fill(pairs, folder)
    before = _bytes(folder)
    data = bytearray(before["satellite.npy"])
    data[-1] ^= 4
    (folder / "satellite.npy").write_bytes(data)
    assert _fill(pairs, folder).corrupt == ()
    filled = _fill(pairs, folder, verify=True)
    assert filled.corrupt == (2,) and filled.made == 1
    assert _bytes(folder) == before


def test_an_unfinished_caches_lost_bytes_are_made_again(pairs, tmp_path):
    """A machine without power may have lost what the journal counts."""
    folder = tmp_path / "c"
    pairs[20].aerial.write_bytes(b"text")
    _fill(pairs, folder)
    before = _bytes(folder)
    state = read_state(folder)
    files = SETTINGS.row_files(folder)
    journal = folder / UNFINISHED_JSONL
    Journal(journal, state.settings, state.blocks[:2], files).close()
    with journal.open("a") as file:
        file.write('[123, {"block": 2, "ro')
    (folder / "ground.npy").write_bytes(before["ground.npy"][:9000])
    assert _fill(pairs, folder).made == 2
    assert _bytes(folder) == before


@pytest.mark.parametrize("name", ["rows", "ground", "image_size", "sha256"])
def test_a_damaged_manifest_counts_for_nothing(pairs, tmp_path, name):
    """One letter is another: still JSON, or not."""
    _fill(pairs, tmp_path / "c")
    before = _bytes(tmp_path / "c")
    manifest = tmp_path / "c" / "manifest.json"
    pairs[0].ground.write_bytes(b"")
    _fill(pairs, tmp_path / "c")
    text = manifest.read_text()
    assert f'"{name}"' in text
    manifest.write_text(text.replace(f'"{name}', f'"?{name[1:]}', 1))
    _write(pairs[0].ground, _noise(20, 50, 0))
    filled = _fill(pairs, tmp_path / "c")
    assert filled.made == 3 and not list(filled.left_out())
    after = _bytes(tmp_path / "c")
    for view in ("ground.npy", "satellite.npy"):
        assert after[view] == before[view]


@pytest.mark.parametrize(
    ("folder", "settings", "message"),
    [
        ("c", CacheSettings("", (9, 20), (0.0, 1.0)), r"is \[8, 20\], not \[9"),
        ("c", CacheSettings("", SIZE, (0.0, 1.0), "near"), "area.*, not near"),
        ("precious", SETTINGS, "precious: holds other files"),
        ("precious/thesis.tex", SETTINGS, "is a file"),
        ("n", CacheSettings("", (10**7,) * 2, (0.0, 1.0)), r"needs .* GB, the"),
        ("held", SETTINGS, "another process is making"),
    ],
)
def test_what_is_refused_stays(pairs, tmp_path, folder, settings, message):
    _fill(pairs[:1], tmp_path / "c")
    for name in ("precious", "held"):
        (tmp_path / name).mkdir()
    (tmp_path / "precious/thesis.tex").write_text("years of work")
    before = _bytes(tmp_path / "c")
    with hold_lock(tmp_path / "held" / LOCK, "c", "making this cache"):
        with pytest.raises(UserError, match=message):
            _fill(pairs[:1], tmp_path / folder, settings)
    assert _bytes(tmp_path / "c") == before
    assert (tmp_path / "precious/thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "n").exists()


def test_a_full_disk_is_told_in_one_line(pairs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match="c: cannot be written .No space"):
        _build(pairs, tmp_path / "c")
