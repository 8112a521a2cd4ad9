"""Warping a folder of aerial images: in parallel, resumable."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from polar.image_files import read_image
from polar.parallel import WorkerDiedError, in_parallel
from polar.transform import polar_transform

SUFFIXES = (".jpg", ".jpeg", ".png")


class ConversionError(Exception):
    """A folder that cannot be converted; the message is one line."""


def convert_folder(
    input_dir: Path | str,
    output_dir: Path | str,
    height: int = 112,
    width: int = 616,
    image_format: str = "png",
    processes: int | None = None,
    progress: bool = True,
) -> list[str]:
    """Writes the polar image of every aerial image below a folder.

    Files keep their relative paths; those whose result is there already and
    newer are skipped, so that the same call resumes after a stop.

    Args:
        input_dir: searched with its subfolders for JPEG and PNG files.
        output_dir: made if needed.
        height, width: of the polar images, pixels.
        image_format: "png" (exact) or "jpg".
        processes: how many work at a time; default one a core.
        progress: whether to show a bar.

    Returns:
        One line for each file that could not be converted, sorted.

    Raises:
        ConversionError: where there is no such folder, no image in it, two
            whose results would share a name, results of another size in
            `output_dir`, or that folder lies in `input_dir`.
    """
    source, target = Path(input_dir), Path(output_dir)
    jobs = _jobs(source, target, image_format)
    _require_settings(target, {"height": height, "width": width})
    waiting = [(p, result) for result, p in jobs.items() if _is_old(result, p)]
    bar = tqdm(
        total=len(jobs),
        initial=len(jobs) - len(waiting),
        desc="polar",
        unit="image",
        disable=not progress,
        dynamic_ncols=True,
    )
    failures = []
    convert = partial(_convert, height=height, width=width)
    try:
        with bar:
            for failure in in_parallel(convert, waiting, processes):
                bar.update()
                failures += [failure] if failure else []
    except WorkerDiedError as error:
        raise ConversionError(
            f"processes={processes}: {error}; the same command resumes"
        ) from error
    return sorted(failures)


def _jobs(source: Path, target: Path, image_format: str) -> dict[Path, Path]:
    """Each result's file to the image that it is made of."""
    if not source.is_dir():
        raise ConversionError(f"input_dir={source}: no such folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise ConversionError(
            f"output_dir={target}: lies in the folder of the input images,"
            " which it could overwrite; name a folder outside"
        )
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise ConversionError(
            f"input_dir={source}: holds no image ({', '.join(SUFFIXES)})"
        )
    jobs = {
        (target / p.relative_to(source)).with_suffix(f".{image_format}"): p
        for p in files
    }
    if other := set(files) - set(jobs.values()):
        raise ConversionError(
            f"{min(other)}: its result would have the name of another one's;"
            " rename one of the two"
        )
    return jobs


def _require_settings(folder: Path, settings: dict[str, int]) -> None:
    """Stores the settings beside the results; refuses results of others."""
    path = folder / "polar.json"
    if not path.is_file():
        _atomic_write(path, json.dumps(settings).encode())
        return
    found = json.loads(path.read_text())
    if found != settings:
        raise ConversionError(
            f"output_dir={folder}: holds images made with {found}, not"
            f" {settings}; name another folder"
        )


def _is_old(result: Path, source: Path) -> bool:
    return (
        not result.is_file()
        or result.stat().st_mtime_ns < source.stat().st_mtime_ns
    )


def _convert(job: tuple[Path, Path], height: int, width: int) -> str | None:
    """Converts one file; returns its failure as a line."""
    source, result = job
    try:
        image = read_image(source)
        rows, columns = image.shape[:2]
        if rows != columns:
            raise ValueError(f"{columns} x {rows} pixels: must be square")
        warped = polar_transform(image, height, width)
        bgr = cv2.cvtColor(warped, cv2.COLOR_RGB2BGR)
        _atomic_write(result, cv2.imencode(result.suffix, bgr)[1].tobytes())
    except (ValueError, cv2.error) as error:
        return f"{source}: {' '.join(str(error).split())}"
    except OSError as error:
        return f"{error.filename or source}: {error.strerror or error}"
    return None


def _atomic_write(path: Path, data: bytes) -> None:
    """Writes a file beside its name, then renames it."""
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ConversionError(
            f"{path}: cannot be written ({error.strerror or error}); make room"
            " or make it writable, then give the same command again"
        ) from error
