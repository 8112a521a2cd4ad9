"""Shards of one index: parts, joining, and pieces that are wrong."""

import json
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import FILES
from mgtl_tf.galleries.places import Place
from mgtl_tf.galleries.shards import (
    finished_shard,
    join_shards,
    missing_shards,
    require_shard_folder,
)
from mgtl_tf.galleries.sources import FileSource, JoinedSource, Shard
from mgtl_tf.utils.errors import UserError
from tests.galleries.encoders import (
    FakeEncoder,
    build,
    change_byte,
    wide_places,
)

OPTIONS = {"batch_size": 2, "preprocessing": {"image_size": [4, 8]}}


@pytest.fixture
def places(tmp_path):
    return wide_places(tmp_path, 11)


def make_shard(places, folder, number, of, model_hash="a" * 64):
    shard = Shard(number, of)
    build(
        JoinedSource([FileSource(places)], shard),
        folder / shard.folder_name,
        FakeEncoder(model_hash=model_hash),
        **OPTIONS,
        may_be_empty=True,
    )


@pytest.fixture
def gallery(tmp_path, places):
    """Three shards, finished."""
    for number in (1, 2, 3):
        make_shard(places, tmp_path / "gallery", number, 3)
    return tmp_path / "gallery"


def refused(gallery, message):
    with pytest.raises(UserError, match=message) as error:
        join_shards(gallery)
    assert "\n" not in str(error.value)


def test_joined_equals_one_index(tmp_path, places, gallery):
    assert missing_shards(gallery) == []
    assert join_shards(gallery) == 11
    # Folders of equal depth: images are named relative to them.
    one = FakeEncoder(model_hash="a" * 64)
    build(places, tmp_path / "one", one, **OPTIONS)
    for name in FILES:
        joined, one = gallery / name, tmp_path / "one" / name
        assert joined.read_bytes() == one.read_bytes(), name
    index = load_index(gallery, verify=True)
    assert list(index.places) == places
    assert index.preprocessing == {"image_size": [4, 8]}
    assert load_index(tmp_path / "one").model_hash == index.model_hash
    # Once more, over the first: the same again.
    assert join_shards(gallery) == 11
    assert list(load_index(gallery).places) == places


def test_more_shards_than_images(tmp_path, places):
    for number in range(1, 5):
        make_shard(places[:2], tmp_path / "gallery", number, 4)
    assert join_shards(tmp_path / "gallery") == 2
    assert list(load_index(tmp_path / "gallery").places) == places[:2]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 20))
def test_parts_are_the_whole(count, of):
    source = FileSource([Place(str(n), "none") for n in range(0)])
    source._places = [Place(str(n), None) for n in range(count)]
    parts = [JoinedSource([source], Shard(n, of)) for n in range(1, of + 1)]
    ids = [p.place(n, None).id for p in parts for n in range(len(p))]
    assert ids == [str(n) for n in range(count)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_missing_shard_is_named(gallery):
    shutil.rmtree(gallery / "shard-2-of-3")
    assert missing_shards(gallery) == [Shard(2, 3)]
    refused(gallery, "shard 2/3 is missing.*make shard 2/3")
    with pytest.raises(UserError, match="not joined yet.*--join"):
        load_index(gallery)
    # One that is being made is not there either.
    (gallery / ".shard-2-of-3.unfinished").mkdir()
    (gallery / "shard-2-of-3").mkdir()
    refused(gallery, "shard 2/3 is missing")


def test_a_foreign_shard_is_named(tmp_path, places, gallery):
    foreign = gallery / "shard-2-of-3"
    shutil.rmtree(foreign)
    make_shard(places, gallery, 2, 3, "b" * 64)
    refused(gallery, "shard-2-of-3.*another model.*bbbbbbb, not aaaaaaa")
    shutil.rmtree(foreign)
    make_shard(places[:-1], gallery, 2, 3)
    refused(gallery, "shard-2-of-3: was made of other imag")
    shutil.rmtree(foreign)
    make_shard(places, gallery, 2, 4)
    refused(gallery, "holds shards of 3 and of 4")
    assert not (gallery / "index.json").exists()


@pytest.mark.parametrize("name", [*FILES, "index.json"])
def test_a_damaged_shard_is_named(gallery, name):
    join_shards(gallery)
    before = {n: (gallery / n).read_bytes() for n in (*FILES, "index.json")}
    change_byte(gallery / "shard-3-of-3" / name, -3)
    refused(gallery, f"shard-3-of-3/{name}: damaged")
    # What was joined before is as it was.
    assert before == {n: (gallery / n).read_bytes() for n in before}
    assert not [p for p in gallery.iterdir() if p.name.startswith(".")]


def test_a_shard_says_itself_whether_it_is_done(places, gallery):
    source = JoinedSource([FileSource(places)], Shard(2, 3)).describe()
    folder = gallery / "shard-2-of-3"
    assert finished_shard(folder, "a" * 64, source) == 4
    assert finished_shard(gallery / "shard-9-of-9", "a" * 64, source) is None
    with pytest.raises(UserError, match="of another model.*restart"):
        finished_shard(folder, "b" * 64, source)
    with pytest.raises(UserError, match="of another images|other images"):
        finished_shard(folder, "a" * 64, source | {"images": 12})


def test_folders_that_hold_other_things(tmp_path, gallery):
    require_shard_folder(gallery)
    require_shard_folder(tmp_path / "none")
    for wrong in (tmp_path / "images", tmp_path / "images/0000.jpg"):
        wrong.parent.mkdir(exist_ok=True)
        with pytest.raises(UserError, match=f"^{wrong}: "):
            require_shard_folder(wrong)
    refused(tmp_path / "images", "holds no finished shard")


@pytest.mark.parametrize(
    "text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1/10000"]
)
def test_wrong_shards(text):
    with pytest.raises(UserError, match=f"shard={text}: give i/n"):
        Shard.parse(text)


def test_several_sources_are_one(tmp_path, places):
    joined = JoinedSource(
        [FileSource(places[:3]), FileSource([]), FileSource(places[3:])]
    )
    ids = [joined.place(n, tmp_path).id for n in range(len(joined))]
    assert ids == [place.id for place in places]
    assert joined.load(5, tmp_path).shape[1] == 6
    description = joined.describe()
    assert description == json.loads(json.dumps(description))
    assert description["images (1)"] == 3
    os.utime(places[0].image, (0, 0))
    again = JoinedSource([FileSource(places[:3]), FileSource(places[3:])])
    assert again.stamp() != joined.stamp()
    assert again.describe()["files (1)"] == description["files (1)"]
