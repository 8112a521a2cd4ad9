"""The package: what its wheel holds, and what its requirements say."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in the wheel, which is built outside the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "setup.py", "--quiet"]
    command += ["egg_info", "--egg-base", folder]
    command += ["build", "--build-base", folder / "build"]
    command += ["bdist_wheel", "--dist-dir", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("mgtl_tf-*.whl")
    return zipfile.ZipFile(path).namelist()


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "mgtl_tf", "polar", "experiments"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    names = listed.stdout.split() or pytest.skip("no git working tree")
    return [name for name in names if (ROOT / name).exists()]


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    """Modules, templates, styles, scripts and vendored files."""
    missing = set(tracked_files()) - set(wheel)
    assert not {name for name in missing if not name.endswith(".md")}


def test_nothing_generic_is_installed_at_top_level(wheel):
    top = {name.split("/")[0] for name in wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "mgtl_tf",
        "polar",
        "experiments",
    }


def names_of(text):
    """The distributions that lines such as `numpy>=2,<3` name."""
    lines = [line for line in text if line and not line.startswith(("#", "-"))]
    return {re.split(r"[\[<>=; ]", line)[0].lower() for line in lines}


@pytest.fixture(scope="module")
def setup_arguments():
    code = (ROOT / "setup.py").read_text()
    code = code.replace("\nsetup(", "\nGIVEN = dict(")
    values = {"__file__": str(ROOT / "setup.py")}
    exec(code, values)
    return values["GIVEN"]


def lines_of(name):
    return (ROOT / name).read_text().splitlines()


def test_requirements_are_the_packages_own(setup_arguments):
    required = names_of(setup_arguments["install_requires"])
    assert names_of(lines_of("requirements.txt")) == required


def test_every_direct_dependency_has_its_tested_version(setup_arguments):
    wanted = names_of(setup_arguments["install_requires"])
    for extra in setup_arguments["extras_require"].values():
        wanted |= names_of(extra)
    pinned = [line for line in lines_of("constraints.txt") if "==" in line]
    assert wanted <= names_of(pinned)


def test_the_tested_versions_lie_within_the_ranges(setup_arguments):
    from packaging.requirements import Requirement

    pins = dict(
        line.split("==") for line in lines_of("constraints.txt") if "==" in line
    )
    extras = setup_arguments["extras_require"].values()
    for line in sum(extras, list(setup_arguments["install_requires"])):
        requirement = Requirement(line)
        pin = pins[requirement.name.lower()]
        assert requirement.specifier.contains(pin), (line, pin)
