"""The wheel: complete, usable far from the checkout; the editable install of the same mapping."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: object, **options) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network from a copy of what git would give."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, source)
    (path,) = out.glob("salbench-*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def python_in(target: Path, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(target)}
    return run(sys.executable, "-c", code, cwd=target.parent, env=environment)


def test_the_wheel_holds_every_package_and_its_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        "salbench": ROOT / "salbench",
        "salbench_models": ROOT / "models",
        "salbench_leaderboards": ROOT / "leaderboards",
    }
    for package, folder in sources.items():
        for path in folder.rglob("*"):
            if path.suffix in {".py", ".j2", ".csv", ".toml", ".typed"}:
                assert f"{package}/{path.relative_to(folder).as_posix()}" in names


def test_the_published_table_prints_from_the_wheel_outside_the_checkout(installed):
    code = (
        "import salbench, salbench_leaderboards\n"
        "from salbench.cli import main\n"
        f"assert salbench.__file__.startswith({str(installed)!r}), salbench.__file__\n"
        f"assert salbench_leaderboards.__file__.startswith({str(installed)!r})\n"
        "raise SystemExit(main(['table', '--layout', '4', '--published', '--format', 'csv']))"
    )
    assert "DSCLRCN" in python_in(installed, code)


def test_plugins_are_found_in_the_wheel(installed):
    code = (
        "from salbench.models import registry; import salbench_models; print(registry().factory('centre').__module__)"
    )
    assert python_in(installed, code).strip() == "salbench_models.baselines"


def test_an_editable_install_maps_all_three_packages(tmp_path):
    """Catches a package-dir mapping that works in wheels alone."""
    target = tmp_path / "site"
    run(sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", target)
    python = target / "bin" / "python"
    # The environment of the tests gives the dependencies; the editable install itself goes into the new one.
    dependencies = run(sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        *options,
        "--editable",
        ROOT,
        env=with_path(dependencies),
    )
    code = (
        "import salbench, salbench_models, salbench_leaderboards; "
        "print(salbench.__file__, salbench_models.__file__, salbench_leaderboards.__file__)"
    )
    where = run(python, "-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
    assert where.split() == [str(ROOT / name / "__init__.py") for name in ("salbench", "models", "leaderboards")]


def with_path(folder: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": folder}
