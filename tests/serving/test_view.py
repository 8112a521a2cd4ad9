"""How sure an answer is, in words and per cent."""

import pytest

from mgtl_tf.serving.view import confidence_in_words, percent


@pytest.mark.parametrize(
    ("confidence", "words", "text"),
    [
        (1.0, "Very likely", "over 99 %"),
        (0.996, "Very likely", "over 99 %"),
        (0.9, "Very likely", "90 %"),
        (0.7, "Likely", "70 %"),
        (0.4, "Unsure", "40 %"),
        (0.39, "Little more than a guess", "39 %"),
        (0.004, "Little more than a guess", "under 1 %"),
        (0.0, "Little more than a guess", "under 1 %"),
    ],
)
def test_confidence(confidence, words, text):
    assert confidence_in_words(confidence) == words
    assert percent(confidence) == text
