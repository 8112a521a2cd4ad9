"""What a form may ask."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgtl_tf.serving.limits import Refused
from mgtl_tf.serving.request_fields import RequestFields, parse_fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, RequestFields(5, None, None)),
        (
            {"top_k": "", "near": " ", "radius": ""},
            RequestFields(5, None, None),
        ),
        ({"top_k": "50"}, RequestFields(50, None, None)),
        ({"unknown_heading": "on"}, RequestFields(unknown_heading=True)),
        ({"unknown_heading": "False"}, RequestFields()),
        (
            {"near": " -33.5 , 151 ", "radius": "1000.0"},
            RequestFields(5, (-33.5, 151.0), 1000.0),
        ),
    ],
)
def test_questions(fields, expected):
    assert parse_fields(fields) == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"top_k": "0"}, "top_k=0"),
        ({"top_k": "51"}, "top_k=51"),
        ({"top_k": "5.0"}, "top_k=5.0"),
        ({"top_k": "9" * 5000}, "top_k=999"),
        ({"top_k": "\u00b2"}, "top_k"),
        ({"near": "1,2"}, "go together"),
        ({"radius": "5"}, "go together"),
        ({"near": "1", "radius": "5"}, "near=1:"),
        ({"near": "1,2,3", "radius": "5"}, "near=1,2,3:"),
        ({"near": "nan,2", "radius": "5"}, "near=nan,2:"),
        ({"near": "1,181", "radius": "5"}, "near=1,181:"),
        ({"near": "1,2", "radius": "0"}, "radius=0:"),
        ({"near": "1,2", "radius": "inf"}, "radius=inf:"),
        ({"near": "1,2", "radius": "five"}, "radius=five:"),
    ],
)
def test_wrong_fields_are_named(fields, said):
    with pytest.raises(Refused) as error:
        parse_fields(fields)
    assert error.value.status == 400
    assert said in error.value.reason and len(error.value.reason) < 120


ODD_NUMBERS = [
    "0000000010000000",
    "05",
    "+5",
    "-5",
    " 5",
    "5 ",
    "5\n",
    "1_0",
    "\u0665",
    "\uff15",
    "1e1",
    "0x10",
    "5.",
    "nan",
    "-inf",
    "Infinity",
    "9" * 5000,
    "5\x00",
    "5,5",
]
"""Most are numbers to int() or float()."""


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_a_number_is_digits(text):
    for fields in (
        {"top_k": text},
        {"near": "1,2", "radius": text if text != "05" else "5e0"},
    ):
        with pytest.raises(Refused) as error:
            parse_fields(fields)
        assert error.value.reason.isprintable()


@pytest.mark.parametrize("text", sorted({*ODD_NUMBERS} - {"-5", " 5", "5 "}))
def test_so_is_a_position(text):
    for near in (f"{text},0", f"0,{text}"):
        if near in ("05,0", "0,05"):
            continue
        with pytest.raises(Refused, match="^near="):
            parse_fields({"near": near, "radius": "5"})


def test_an_unknown_field_is_refused():
    """Whoever writes topk=10 is not to get five places in silence."""
    with pytest.raises(Refused, match="topk: no such field; give top_k") as e:
        parse_fields({"topk": "10"})
    assert e.value.status == 400


TEXTS = st.text("0123456789.,-+e_ naif\u0660\u00b2\n", max_size=12)
NUMBERS = st.one_of(st.integers(), st.floats()).map(str)


@settings(
    max_examples=300,
    deadline=None,
    # The first text of all Unicode takes seconds.
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.dictionaries(
        st.sampled_from(["top_k", "near", "radius"]),
        TEXTS | NUMBERS | st.text(max_size=5),
    )
)
def test_any_text_is_a_question_or_refused(fields):
    try:
        found = parse_fields(fields)
    except Refused as error:
        assert error.status == 400
        return
    assert 1 <= found.top_k <= 50
    assert (found.near is None) == (found.radius is None)
    # What is meant is what is written: nothing else is let through.
    if fields.get("top_k", "").strip(" "):
        assert str(found.top_k) == fields["top_k"]
    if found.near is not None:
        assert 0 < found.radius < 1e9 and fields["radius"].isascii()
        assert abs(found.near[0]) <= 90 and abs(found.near[1]) <= 180


@given(st.integers(1, 50), st.floats(-90, 90), st.floats(-180, 180))
def test_what_people_mean_is_taken(count, latitude, longitude):
    near = f"{latitude:.7f}, {longitude:.7f}"
    fields = {"top_k": str(count), "near": near, "radius": f"{count / 8}"}
    found = parse_fields(fields)
    assert (found.top_k, found.radius) == (count, count / 8)
    assert found.near == (round(latitude, 7), round(longitude, 7))
