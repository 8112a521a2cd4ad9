"""Broken copies of CVUSA, CVACT and own data: each is named, the rest read."""

import re

import numpy as np
import pytest

from mgtl_tf.datasets.readers import read_dataset
from tests.datasets.builders import (
    HEADER,
    ONE,
    make_csv,
    make_cvact,
    make_cvusa,
)
from tests.datasets.test_readers import MAT, OWN, TRAIN, plain, refused

PLACES = "split_locations/all.csv"
CVUSA = "bingmap/19/{0}.jpg,streetview/panos/{1}.jpg,x.png"
IMAGES = "images/g2.jpg,images/a2.tif"
UTM_OF_3 = [[1.0, 2.0, 3.0]] * 2


def listed(line):
    """CVUSA with a third training row."""
    return lambda root: add(make_cvusa(root), TRAIN, line)


def placed(text):
    return lambda root: add(make_cvusa(root), PLACES, text, "w")


def mat(**fields):
    return lambda root: make_cvact(root, ["a", "b"], **fields)


def own(row):
    return lambda root: make_csv(root, ONE, row)


def own_file(content):
    return lambda root: add(make_csv(root), "train.csv", content, "wb")


def add(root, name, content, mode="a"):
    with (root / name).open(mode) as file:
        file.write(content)
    return root


# What is broken, where, as which phrase; and how many training pairs are
# left where problems are only collected (None: no pair can be read).
BROKEN = [
    ("cvusa", listed("bingmap/19/0000001.jpg"), TRAIN, "row 3: .* is not", 2),
    ("cvusa", listed(",a.jpg,b.png"), TRAIN, "row 3", 2),
    ("cvusa", listed('"bingmap'), TRAIN, "row 3: ", 2),
    ("cvusa", listed(CVUSA.format(*"22")), "panos/2.jpg", "row 3: does not", 3),
    ("cvusa", listed(CVUSA.format("0000001", "0000001")), TRAIN, "repeats", 2),
    ("cvusa", listed(CVUSA.format(*"12")), TRAIN, "row 3: .*two places", 2),
    ("cvusa", listed(CVUSA.format(*"44")), TRAIN, "among the 3 of all", 2),
    ("cvusa", placed("1,2\nx,3\n1,1"), PLACES, "row 2: 'x,3' does", 2),
    ("cvusa", placed("1,2\n95,3\n1,1"), PLACES, "row 2", 2),
    ("cvusa", placed("1,2\n1,nan\n1,1"), PLACES, "row 2", 2),
    ("cvusa", placed("1\n1,1\n1,1"), PLACES, "row 1", 2),
    ("cvusa", placed(",,,,\n1,1\n1,1"), PLACES, "row 1", 2),
    ("cvact", mat(trainSet={"trainInd": [1, 3]}), MAT, "row 2 is 3, outs", 1),
    ("cvact", mat(trainSet={"trainInd": [1, 1.5]}), MAT, "1.5, no whole", 1),
    ("cvact", mat(trainSet={"trainInd": [np.nan, 1]}), MAT, "1 is nan, ou", 1),
    ("cvact", mat(trainSet={"trainInd": ["a", "b"]}), MAT, "old num", None),
    ("cvact", mat(trainSet=[1, 2]), MAT, "trainSet holds no trainInd", None),
    ("cvact", mat(utm=["a", "b"]), MAT, "utm does not hold numbers", None),
    ("cvact", mat(utm=UTM_OF_3), MAT, r"utm \[2, 3\] is not two", None),
    ("cvact", mat(utm=[[1.0, 2.0]] * 3), MAT, r"utm \[3, 2\] is", None),
    ("cvact", mat(panoIds=["a" * 300, "b"]), "aa_grdView.jpg", "does not", 1),
    (
        "cvact",
        mat(panoIds=["a", "a"], trainSet={"trainInd": [1, 2]}),
        MAT,
        "row 2: a repeats",
        1,
    ),
    ("csv", own("two,images/g2.jpg"), OWN, "2: 'two,images/g2.jpg,,,' is", 1),
    ("csv", own("two,images/g9.jpg,images/a2.tif,,"), "g9.jpg", "does not", 2),
    ("csv", own(f"two,{IMAGES},95,8"), OWN, "row 2: '95,8' is no lat", 1),
    ("csv", own(f"two,{IMAGES},x,8"), OWN, "row 2: 'x,8' is no lat", 1),
    ("csv", own(f"two,{IMAGES},nan,8"), OWN, "row 2: 'nan,8' is no lat", 1),
    ("csv", own(f"two,{IMAGES},8,inf"), OWN, "row 2: '8,inf' is no lat", 1),
    ("csv", own(f"two,{IMAGES},1e400,8"), OWN, "row 2: '1e400,8' is no", 1),
    ("csv", own(f'two,{IMAGES},"47,5","8,25"'), OWN, "row 2: .*comma", 1),
    ("csv", own(f"two,{IMAGES},149.1,-35.3"), OWN, "row 2: .*swapped", 1),
    ("csv", own(f"two,{IMAGES},47.5,"), OWN, "row 2: .*or neither", 1),
    ("csv", own(f"one,{IMAGES},,"), OWN, "row 2: one repeats", 1),
    ("csv", own(f",{IMAGES},,"), OWN, "row 2: ',images/g2.jpg", 1),
    ("csv", own(f"two,{IMAGES},1,2,3"), OWN, "row 2: 'two,images/g2.jpg", 1),
    ("csv", own_file(plain().replace(b",", b";")), OWN, "by semicolons", None),
    ("csv", own_file(plain().replace(b",", b"\t")), OWN, "by tabs", None),
    ("csv", own_file(plain("id,ground,aerial")), OWN, "lacks latitude", None),
    ("csv", own_file(plain(HEADER + ",id")), OWN, "names id twice", None),
    ("csv", own_file(plain("1,a.jpg,b.jpg,2,3")), OWN, "lacks id, gr", None),
    ("csv", own_file(b""), OWN, "first line lacks id", None),
]


@pytest.mark.parametrize(("name", "make", "file", "reason", "left"), BROKEN)
def test_what_is_broken_is_named(tmp_path, name, make, file, reason, left):
    root, problems = make(tmp_path), []
    match = f"{re.escape(file)}.*{reason}"
    refused(name, root, match)
    if name == "cvact" and left is None:
        return  # Each reading starts a process.
    if left is None:
        refused(name, root, match, problems)
    else:
        assert len(read_dataset(name, root, problems).train) == left
        # Whether files exist is for the decoder to find.
        assert len(problems) == (not reason.endswith("does not"))
