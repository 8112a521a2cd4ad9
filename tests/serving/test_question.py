"""What a form may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.serving.limits import Refused
from mgtl_tf.serving.question import Question
from mgtl_tf.serving.question import parse_question


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Question(5, None, None)),
        ({"top_k": "", "near": " ", "radius": ""}, Question(5, None, None)),
        ({"top_k": "50", "other": "x"}, Question(50, None, None)),
        ({"unknown_heading": "on"}, Question(unknown_heading=True)),
        ({"unknown_heading": " False "}, Question()),
        (
            {"near": " -33.5 , 151 ", "radius": "1e3"},
            Question(5, (-33.5, 151.0), 1000.0),
        ),
    ],
)
def test_questions(fields, expected):
    assert parse_question(fields) == expected


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
        parse_question(fields)
    assert error.value.status == 400
    assert said in error.value.reason and len(error.value.reason) < 120


@given(
    st.dictionaries(
        st.sampled_from(["top_k", "near", "radius"]),
        st.text("0123456789.,-+e nai\u0660\u00b2", max_size=12),
    )
)
def test_any_text_is_a_question_or_refused(fields):
    try:
        found = parse_question(fields)
    except Refused:
        return
    assert 1 <= found.top_k <= 50
    assert (found.near is None) == (found.radius is None)
