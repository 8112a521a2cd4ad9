"""A web page, and an endpoint for programs, that locate panoramas.

    python -m experiments.serve --model=export --gallery=index

Then open http://127.0.0.1:7860 and drop a panorama, or ask from a program:

    curl -F image=@panorama.jpg http://127.0.0.1:7860/locate
    curl --data-binary @panorama.jpg "http://127.0.0.1:7860/locate?top_k=10"

The answer is that of experiments.locate --format=json; the other fields are
near=latitude,longitude with radius=metres, and unknown_heading=yes, in the
form or the address; any other field is refused.
/health tells whether it is up. Nothing is loaded from the internet and
nothing is kept of an upload.
"""

from __future__ import annotations

from absl import flags

from mgtl_tf.utils.errors import UserError
from polar.program import run

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote", required=True
)
_GALLERY = flags.DEFINE_string(
    "gallery", None, "folder that experiments.index wrote", required=True
)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "address to answer on; the default is this machine alone, 0.0.0.0 is"
    " everyone who reaches it (there is no password)",
)
_ALLOWED_HOSTS = flags.DEFINE_list(
    "allowed_hosts",
    [],
    "further names of this machine, as maps.example.org, that requests may ask"
    " for; its address and host name need not be given",
)
_PORT = flags.DEFINE_integer(
    "port", 7860, "0 takes any that is free", lower_bound=0, upper_bound=65535
)
_MAX_UPLOAD_MB = flags.DEFINE_integer(
    "max_upload_mb", 20, "largest image file that is taken, MB", lower_bound=1
)
_ENGINE = flags.DEFINE_string("engine", "exact", "how the gallery is searched")
_BACKEND = flags.DEFINE_string("backend", "faiss", "what searches it")
_URI = flags.DEFINE_string("uri", None, "where --backend keeps the gallery")


def main(argv: list[str]) -> None:
    """Reads the flags, opens model and gallery, serves until it is ended."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    if not _HOST.value.strip():
        raise flags.Error("--host=: is empty; leave the flag out or give one")
    from mgtl_tf.serving.program import serve_gallery

    serve_gallery(
        _MODEL.value,
        _GALLERY.value,
        _HOST.value,
        _PORT.value,
        _MAX_UPLOAD_MB.value,
        (_ENGINE.value, _BACKEND.value, _URI.value),
        _ALLOWED_HOSTS.value,
    )


if __name__ == "__main__":
    run(main, errors=(UserError,))
