"""README and docs/: their code runs, their flags exist, the site builds."""

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import run

ROOT = Path(__file__).parents[1]
# Written by experiments.tables --publish.
GENERATED = {"results.md"}
PAGES = [ROOT / "README.md", ROOT / "WORKSPACE.md"]
PAGES += sorted(p for p in (ROOT / "docs").glob("*.md"))
# Flags of other programs that the pages name.
OTHERS = {"strict", "run-large", "rest_api_port", "port", "model_name"}
OTHERS |= {"model_base_path", "logdir", "data-binary", "run_large", "help"}
# Of benchmarks.gpu_keras, which needs JAX.
OTHERS |= {"reference", "norate", "study", "weights"}
OTHERS |= {"head", "address"}  # of ray start


def blocks(path, language):
    """The code blocks of a page in one language ("" for shell commands)."""
    text = path.read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    return [code for name, code in found if name == language]


def commands():
    """(page, program, arguments) of every `python -m` in a shell block."""
    for path in PAGES:
        for block in blocks(path, ""):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("python -m "):
                    _, _, program, *arguments = shlex.split(line)
                    yield path.name, program, arguments


@functools.cache
def flags_of(program):
    """The flags that --help lists: name -> allowed values, or None."""
    result = run(program, "--help")
    text = result.stdout + result.stderr
    found = re.findall(r"^ +--(\[no\])?(\w+): *(?:<(.+?)>)?", text, re.M)
    return {
        name: choices.split("|") if choices else None
        for _, name, choices in found
    }


COMMANDS = list(commands())
PROGRAMS = sorted({program for _, program, _ in COMMANDS})


def test_programs_are_documented():
    own = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    modules = {f"experiments.{name}" for name in own - {"__init__", "flags"}}
    runnable = {
        module
        for module in modules
        if "__main__" in (ROOT / f"{module.replace('.', '/')}.py").read_text()
    }
    assert runnable <= set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_flags_of_every_command_exist(program):
    known = flags_of(program)
    for page, _, arguments in (c for c in COMMANDS if c[1] == program):
        for argument in arguments:
            if not argument.startswith("--"):
                continue
            name, _, value = argument[2:].partition("=")
            assert name in known, f"{page}: {program} has no flag --{name}"
            if known[name] and value:
                assert value in known[name], f"{page}: --{name}={value}"


def test_every_flag_that_a_page_names_exists():
    known = set(OTHERS)
    for program in PROGRAMS:
        known |= set(flags_of(program))
    for path in PAGES:
        if path.name in GENERATED:
            continue
        named = set(re.findall(r"(?<![\w-])--([a-z][\w-]*)", path.read_text()))
        named = {name for name in named if not name.startswith("no-")}
        assert named <= known, f"{path.name}: {named - known}"


# The blocks that need an export and a gallery run in
# tests/export/test_serving_document.py.
RUNNABLE = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path in PAGES
    if path.name != "serving.md"
    for number, code in enumerate(blocks(path, "python"))
    if "demo/" not in code
]


# The paper's network in small.
SMALL = """mgtl_tf.ModelConfig(
    image_size=(32, 160), width_multiplier=1 / 16, recurrent_steps=1
)"""


@pytest.mark.usefixtures("plain_graphs")
@pytest.mark.parametrize("code", RUNNABLE)
def test_python_blocks_run(code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "112, 616" not in code:
        code = code.replace("mgtl_tf.ModelConfig()", SMALL)
    code = code.replace("width_multiplier=0.25", "width_multiplier=1 / 16")
    exec(code, {})
    assert capsys.readouterr().out.strip()


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
    assert len((ROOT / "WORKSPACE.md").read_text().splitlines()) <= 60


def test_links_and_paths_lead_somewhere():
    for path in PAGES:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_paths_of_the_map_exist():
    """WORKSPACE.md names only what is there."""
    text = (ROOT / "WORKSPACE.md").read_text()
    for name in re.findall(r"`([\w./]+(?:/|\.py|\.md|\.yml|\.txt))`", text):
        if "NAME" not in name:
            assert (ROOT / name).exists(), name


def test_the_tests_that_the_makefile_names_exist():
    for name in re.findall(
        r"tests/[\w/]+(?:\.py)?", (ROOT / "Makefile").read_text()
    ):
        assert (ROOT / name).exists(), name


def test_the_site_builds(tmp_path):
    """Strictly, and with nothing from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(
        [*command, "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]+)"',
            page.read_text(),
        )
        assert not loaded, (page.name, loaded)
    assert "soft_margin_triplet_loss" in (tmp_path / "api.html").read_text()
