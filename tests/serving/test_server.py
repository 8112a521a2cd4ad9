"""Addresses: which are bound, which are loopback, what is said of others."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from mgtl_tf.serving.server import bind, serve, serve_gallery
from mgtl_tf.utils.errors import UserError
from tests import programs


def test_a_taken_port_is_named():
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match=f"^port={port}: in use"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    "host",
    ["no.such.host.invalid", "203.0.113.7", "..", "a" * 70 + ".b", "a\0b"],
)
def test_a_foreign_address_is_named(host):
    with pytest.raises(UserError, match="^host=.*: not an address"):
        bind(host, 0)


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_not_everyone(host):
    """As of --host=$HOST, where that is not set."""
    with pytest.raises(UserError, match="^host=: is empty"):
        bind(host, 0)
    given = programs.run(
        "experiments.serve", f"--host={host}", "--model=m", "--gallery=g"
    )
    assert given.returncode == 2
    assert given.stderr.startswith("error: --host=: is empty")
    assert given.stderr.count("\n") == 1


def test_wrong_folders_are_told_before_tensorflow_is_loaded(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        serve_gallery(tmp_path / "model", tmp_path / "index", port=0)


def test_a_missing_library_is_named(load_program, monkeypatch):
    program = load_program("serve")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "mgtl_tf.serving.server")
    with pytest.raises(UserError, match=r"uvicorn.*pip install -e '.\[serve\]"):
        program.main(host="127.0.0.1")


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_it_ends_when_told_to(sent, status):
    program = """
import signal
from starlette.applications import Starlette
from mgtl_tf.serving.server import bind, serve
# As in a terminal; a test in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with bind("127.0.0.1", 0) as listening:
    serve(Starlette(), "127.0.0.1", listening)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MGTL_TF_LAZY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        address = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        # Uvicorn heeds signals from when it answers.
        with socket.create_connection(("127.0.0.1", int(address[1]))) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert line.recv(1) == b"H"
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors.strip() == ("ended" if status == 0 else "")


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)]
)
def test_who_else_may_use_it_is_said(host, warned, capsys, monkeypatch):
    served = []
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda self, sockets: served.extend(sockets)
    )
    with bind(host, 0) as listening:
        serve(Starlette(), host, listening)
        port = listening.getsockname()[1]
    output = capsys.readouterr()
    assert served == [listening]
    assert f"http://{host}:{port}" in output.out
    assert ("warning: host=0.0.0.0" in output.err) == warned
