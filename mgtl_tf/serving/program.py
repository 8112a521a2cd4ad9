"""Serving a gallery: from folders to a page that answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.serving.app import create_app
from mgtl_tf.serving.guard import Hosts, allowed_names
from mgtl_tf.serving.limits import Limits
from mgtl_tf.serving.server import bind, require_libraries, serve


def serve_gallery(
    model: Path | str,
    gallery: Path | str,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_upload_mb: int = 20,
    searching: tuple[str, str, str | None] = ("exact", "faiss", None),
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serves the page and the endpoint until Ctrl-C or SIGTERM.

    Args:
        model: folder that experiments.export wrote.
        gallery: folder that experiments.index wrote, with the same model.
        host, port: to bind to; port 0 takes any that is free.
        max_upload_mb: the largest image file that is taken, MB (2**20).
        searching: engine, backend and address, as `Localizer.load` takes
            them.
        allowed_hosts: further names and addresses under which requests may
            ask for the server.

    Raises:
        UserError: for a missing library, an address that is taken, or a
            wrong folder.
    """
    require_libraries()
    allowed = allowed_names(allowed_hosts)
    with bind(host, port) as listening:
        localizer = Localizer.load(model, gallery, *searching)
        # TensorFlow's first run takes seconds; nobody is to wait for them.
        localizer.locate(_grey_panorama(), top_k=1)
        limits = Limits(upload_bytes=max_upload_mb * 2**20)
        hosts = Hosts.of(host, [listening.getsockname()[0], *allowed])
        serve(create_app(localizer, hosts, limits), host, listening)


def _grey_panorama() -> bytes:
    grey = np.full((64, 256, 3), 128, np.uint8)
    return cv2.imencode(".png", grey)[1].tobytes()
