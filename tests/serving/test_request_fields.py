"""The fields of a request: strict text, one meaning."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgtl_tf.serving.limits import Refused
from mgtl_tf.serving.request_fields import RequestFields, parse_fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"top_k": "", "near": " ", "radius": ""}, RequestFields()),
        ({"top_k": "50"}, RequestFields(50)),
        ({"unknown_heading": "on"}, RequestFields(unknown_heading=True)),
        ({"unknown_heading": "False"}, RequestFields()),
        (
            {"near": " -33.5 , 151 ", "radius": "1000.0"},
            RequestFields(5, (-33.5, 151.0), 1000.0),
        ),
    ],
)
def test_fields(fields, expected):
    assert parse_fields(fields) == expected


# Most are numbers to int() or float().
ODD = ["+5", "5\n", "1_0", "\u0665", "\uff15", "\u00b2", "1e1", "0x10", "5."]
ODD += ["nan", "-inf", "Infinity", "9" * 5000, "5\x00", "5,5"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        *(({"top_k": t}, "top_k=") for t in [*ODD, "0", "51", "5.0", "05"]),
        *(({"top_k": t}, "top_k=") for t in ["-5", " 5", "5 ", "0" * 8 + "5"]),
        *(
            ({"near": "1,2", "radius": t}, "radius=")
            for t in [*ODD, "0", "-5", " 5", "5 ", "five"]
        ),
        *(({"near": f"{t},0", "radius": "5"}, "near=") for t in ODD),
        *(({"near": f"0,{t}", "radius": "5"}, "near=") for t in ODD),
        ({"near": "1", "radius": "5"}, "near=1: give"),
        ({"near": "1,2,3", "radius": "5"}, "near=1,2,3: give"),
        ({"near": "1,181", "radius": "5"}, "near=1,181: give"),
        ({"near": "1,2"}, "go together"),
        ({"radius": "5"}, "go together"),
        ({"unknown_heading": "maybe"}, "unknown_heading=maybe: give yes or no"),
        ({"topk": "10"}, "topk: no such field; give top_k"),
    ],
)
def test_wrong_fields_are_named(fields, said):
    with pytest.raises(Refused) as error:
        parse_fields(fields)
    assert error.value.status == 400
    assert said in error.value.reason and len(error.value.reason) < 120
    assert error.value.reason.isprintable()


TEXTS = st.text("0123456789.,-+e_ naif\u0660\u00b2\n", max_size=12)
NUMBERS = st.one_of(st.integers(), st.floats()).map(str)


@settings(
    max_examples=300,
    # The first text of all Unicode takes seconds.
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.dictionaries(
        st.sampled_from(["top_k", "near", "radius"]),
        TEXTS | NUMBERS | st.text(max_size=5),
    )
)
def test_any_text_means_what_is_written_or_is_refused(fields):
    try:
        found = parse_fields(fields)
    except Refused as error:
        assert error.status == 400
        return
    assert 1 <= found.top_k <= 50
    assert (found.near is None) == (found.radius is None)
    if fields.get("top_k", "").strip(" "):
        assert str(found.top_k) == fields["top_k"]
    if found.near is not None:
        assert 0 < found.radius < 1e9 and fields["radius"].isascii()
        assert abs(found.near[0]) <= 90 and abs(found.near[1]) <= 180


@given(st.integers(1, 50), st.floats(-90, 90), st.floats(-180, 180))
def test_usual_text_is_taken(count, latitude, longitude):
    near = f"{latitude:.7f}, {longitude:.7f}"
    fields = {"top_k": str(count), "near": near, "radius": f"{count / 8}"}
    found = parse_fields(fields)
    assert (found.top_k, found.radius) == (count, count / 8)
    assert found.near == (round(latitude, 7), round(longitude, 7))
