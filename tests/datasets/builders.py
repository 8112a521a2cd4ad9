"""Small data sets of empty files: readers look at names only."""

import scipy.io

HEADER = "id,ground,aerial,latitude,longitude"
ONE = "one,images/g1.jpg,images/a1.tif,47.5,8.25"
TWO = 'two,"images/g2.jpg",images/a2.tif,47.501,8.25'


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def make_cvusa(
    root, train=(1, 2), validation=(3,), table="split_locations/all.csv"
):
    """CVUSA's layout; places lie 0.001 degrees of latitude apart."""
    (root / "splits").mkdir(parents=True)
    for split, numbers in (("train", train), ("val", validation)):
        lines = []
        for number in numbers:
            folders = "bingmap/19", "streetview/panos"
            files = [f"{folder}/{number:07d}.jpg" for folder in folders]
            touch(root, *files)
            lines.append(",".join([*files, "x.png\n"]))
        (root / f"splits/{split}-19zl.csv").write_text("".join(lines))
    if table:
        (root / table).parent.mkdir(exist_ok=True)
        count = max(*train, *validation)
        lines = [f"{40 + i / 1000},-100.5,0,0,0" for i in range(count)]
        (root / table).write_text("\n".join(lines))
    return root


def make_cvact(root, ids, folder="ANU_data_small", **fields):
    """CVACT's layout: the first id to train on, the others to validate."""
    others = {"valInd": [[row] for row in range(2, len(ids) + 1)]}
    table = {
        "panoIds": ids,
        "utm": [[693000.1 + 30 * i, 6090000.2] for i in range(len(ids))],
        "trainSet": {"trainInd": [[1]]},
        "valSet": others,
        "valSetAll": others,
    }
    scipy.io.savemat(root / "ACT_data.mat", {**table, **fields})
    for name in ids:
        touch(
            root / folder,
            f"streetview/{name}_grdView.jpg",
            f"satview_polish/{name}_satView_polish.jpg",
        )
    return root


def make_csv(root, *rows, header=HEADER, name="train.csv"):
    """Own pairs."""
    touch(root / "images", "g1.jpg", "g2.jpg", "a1.tif", "a2.tif")
    (root / name).write_text("\n".join([header, *rows]) + "\n")
    return root
