"""A web page, and an endpoint for programs, that locate panoramas.

    python -m experiments.serve --model=export --gallery=index

Then open http://127.0.0.1:7860 and drop a panorama, or ask from a program:

    curl -F image=@panorama.jpg http://127.0.0.1:7860/locate
    curl --data-binary @panorama.jpg "http://127.0.0.1:7860/locate?top_k=10"

The answer is that of experiments.locate --format=json; the other fields are
near=latitude,longitude with radius=metres, and unknown_heading=yes, in the
form or the address; any other field is refused. /health says whether it is
up. Nothing is loaded from the internet and nothing is kept of an upload.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import define_shared, run_program
from mgtl_tf.utils.errors import UserError

PROGRAM_FLAGS = [
    *define_shared("model", "gallery", "engine", "backend", "uri"),
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "address to answer on; the default is this machine alone, 0.0.0.0 is"
        " everyone who reaches it (there is no password)",
    ),
    flags.DEFINE_list(
        "allowed_hosts",
        [],
        "further names of this machine, as maps.example.org, that requests may"
        " ask for; its address and host name need not be given",
    ),
    flags.DEFINE_integer(
        "port",
        7860,
        "0 takes any that is free",
        lower_bound=0,
        upper_bound=65535,
    ),
    flags.DEFINE_integer(
        "max_upload_mb",
        20,
        "largest image file that is taken, MB",
        lower_bound=1,
    ),
]


def main(host: str, **given: Any) -> None:
    """Opens model and gallery, and serves until it is ended."""
    if not host.strip():
        raise flags.Error("--host=: is empty; leave the flag out or give one")
    try:
        from mgtl_tf.serving.server import serve_gallery
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; pip install -e '.[serve]'"
        ) from error

    serve_gallery(host=host, **given)


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
