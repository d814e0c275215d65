"""Wheel and source archive: complete, the same bytes each time, usable far from the checkout; the editable install."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from salbench.digests import digest_file

ROOT = Path(__file__).parents[1]


def run(*command: object, **options) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copied(source: Path) -> Path:
    """A copy of what git would give."""
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
            (source / name).chmod((ROOT / name).stat().st_mode)
    return source


def built(source: Path, out: Path) -> list[Path]:
    """Source archive and wheel of a folder, by the project's own backend; nothing is fetched."""
    code = (
        "import sys; sys.path.insert(0, 'backend'); import salbench_build as b; "
        f"b.build_sdist({str(out)!r}); b.build_wheel({str(out)!r})"
    )
    run(sys.executable, "-c", code, cwd=source, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    return sorted(out.iterdir())


@pytest.fixture(scope="session")
def archives(tmp_path_factory) -> list[Path]:
    """The source archive and the wheel."""
    return built(copied(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def wheel(archives) -> Path:
    """The wheel."""
    return next(path for path in archives if path.suffix == ".whl")


@pytest.fixture(scope="session")
def unpacked(archives, tmp_path_factory) -> Path:
    """What the source archive holds."""
    (archive,) = (path for path in archives if path.name.endswith(".tar.gz"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


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


def test_archives_are_the_same_bytes_on_another_day_in_another_folder(archives, tmp_path):
    """Catches times, owners, orders or paths of a build in what is published: nobody could check it against git."""
    again = copied(tmp_path / "elsewhere")
    for path in again.rglob("*"):
        os.utime(path, (1, 1))
    (tmp_path / "out").mkdir()
    for old, new in zip(archives, built(again, tmp_path / "out"), strict=True):
        assert old.name == new.name
        assert digest_file(old) == digest_file(new), old.name


def test_the_source_archive_holds_what_its_tests_need(unpacked):
    """Catches tests, benchmarks or documents that are left out, so that a distributor cannot run what is here."""
    files = run("git", "ls-files", cwd=ROOT).splitlines()
    missing = [name for name in files if not (unpacked / name).is_file() and (ROOT / name).is_file()]
    assert [name for name in missing if not name.startswith((".ci/", ".git"))] == []
    done = run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_maps.py",
        "tests/tables/test_tables_published.py",
        cwd=unpacked,
    )
    assert " passed" in done


def test_the_wheel_of_the_source_archive_is_that_of_the_checkout(unpacked, wheel, tmp_path):
    """Catches a source archive from which something else is built than was published."""
    again = next(path for path in built(unpacked, tmp_path) if path.suffix == ".whl")
    assert digest_file(again) == digest_file(wheel)


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
