"""Warping a folder of aerial images: parallel, resumable, whole files only."""

from __future__ import annotations

import json
import os
import re
import socket
from functools import partial
from pathlib import Path
from threading import get_ident

import cv2
import numpy as np
from tqdm import tqdm

from polar.image_files import read_image
from polar.parallel import WorkerDiedError, in_parallel
from polar.transform import polar_transform

SUFFIXES = (".jpg", ".jpeg", ".png")


class ConversionError(Exception):
    """A folder that cannot be converted, told in one line."""


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

    Files keep their relative paths; those whose result is already there and
    newer are passed over, so that the same call goes on after a stop.

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
    if not source.is_dir():
        raise ConversionError(f"--input_dir={source}: no such folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise ConversionError(
            f"--output_dir={target}: lies in --input_dir, whose images it"
            " could overwrite; name a folder outside"
        )
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise ConversionError(
            f"--input_dir={source}: holds no image ({', '.join(SUFFIXES)})"
        )
    jobs = [
        (p, (target / p.relative_to(source)).with_suffix(f".{image_format}"))
        for p in files
    ]
    _require_one_result_each(jobs)
    _settle(target, {"height": height, "width": width})
    _sweep(target)
    waiting = [job for job in jobs if not _is_done(*job)]
    convert = partial(_convert, height=height, width=width)
    bar = tqdm(
        total=len(jobs),
        initial=len(jobs) - len(waiting),
        desc="polar",
        unit="image",
        disable=not progress,
        dynamic_ncols=True,
    )
    failures = []
    try:
        with bar:
            for failure in in_parallel(convert, waiting, processes):
                bar.update()
                failures += [failure] if failure else []
    except WorkerDiedError as error:
        raise ConversionError(
            f"--processes={processes}: {error}; the same command goes on"
        ) from error
    return sorted(failures)


def _require_one_result_each(jobs: list[tuple[Path, Path]]) -> None:
    first: dict[Path, Path] = {}
    for source, result in jobs:
        if first.setdefault(result, source) != source:
            raise ConversionError(
                f"{source}: its result would have the name of"
                f" {first[result].name}'s; rename one of the two"
            )


def _settle(folder: Path, settings: dict[str, int]) -> None:
    """Notes the settings beside the results; refuses results of others."""
    path = folder / "polar.json"
    if path.is_file():
        found = json.loads(path.read_text())
        if found != settings:
            raise ConversionError(
                f"--output_dir={folder}: holds images made with {found}, not"
                f" {settings}; name another folder"
            )
        return
    _write_whole(path, json.dumps(settings).encode())


def _is_done(source: Path, target: Path) -> bool:
    return (
        target.is_file()
        and target.stat().st_mtime_ns >= source.stat().st_mtime_ns
    )


def _convert(job: tuple[Path, Path], height: int, width: int) -> str | None:
    """Converts one file; its failure as a line."""
    source, target = job
    try:
        image = _read(source)
        warped = polar_transform(image, height, width)
        _write(target, warped)
    except (ValueError, cv2.error) as error:
        return f"{source}: {' '.join(str(error).split())}"
    except OSError as error:
        return f"{error.filename or source}: {error.strerror or error}"
    return None


def _read(path: Path) -> np.ndarray:
    image = read_image(path)
    if image.shape[0] != image.shape[1]:
        raise ValueError(
            f"{image.shape[1]} x {image.shape[0]} pixels: must be square"
        )
    return image


def _write(path: Path, image: np.ndarray) -> None:
    done, data = cv2.imencode(
        path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    )
    if not done:
        raise ValueError(f"cannot be encoded as {path.suffix}")
    _write_whole(path, data.tobytes())


def _write_whole(path: Path, data: bytes) -> None:
    """Writes a file beside its name, then renames it.

    Raises:
        ConversionError: where the disk does not take it: nor will it take
            the next one.
    """
    beside = path.with_name(f"{_mark()}{os.getpid()}-{get_ident()}.tmp")
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


def _mark() -> str:
    """What half-written files of this machine are called."""
    return f".{socket.gethostname()}-"


def _sweep(folder: Path) -> None:
    """Removes what killed processes of this machine left half-written."""
    left = re.compile(re.escape(_mark()) + r"(\d+)-\d+\.tmp")
    for path in folder.rglob(".*.tmp"):
        found = left.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
