"""Names that are no UTF-8, through JSON and back."""

import dataclasses
import json
import os

from hypothesis import given, settings, strategies

from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.undecodable import is_undecodable, replaced, restored


@dataclasses.dataclass(frozen=True)
class Shape:
    folder: str
    files: tuple[str, ...]
    by_name: dict[str, list[int]]


@settings(deadline=None)
@given(strategies.binary(max_size=8), strategies.text(max_size=4))
def test_every_name_comes_back(name, more):
    text = os.fsdecode(name)
    made = Shape(text, (text, "plain"), {text: [1]})
    written = json.dumps(dataclasses.asdict(made))
    assert parse_json(written, Shape) == made
    assert restored(replaced([text, more[:0]])) == [text, ""]
    replaced(text).encode()  # raises for what is no Unicode


def test_what_is_plain_is_seen_as_such():
    assert not is_undecodable({"a": ["b", 1, None, "\U0001f30d"]})
    assert is_undecodable({"a": [os.fsdecode(b"\xfc")]})
