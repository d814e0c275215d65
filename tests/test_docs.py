"""The examples of the README and the documentation run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        found += [(f"{page.name}-{number}", block) for number, block in enumerate(blocks)]
    return found


@pytest.mark.parametrize(("name", "code"), examples(), ids=[name for name, _ in examples()])
def test_python_examples_run(name, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": name})  # noqa: S102 - our own documentation
    assert capsys.readouterr().out.strip()


def commands() -> list[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    lines = re.findall(r"^\$ (salbench .*(?:\\\n.*)*)", text, re.MULTILINE)
    return [line.replace("\\\n", " ") for line in lines]


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_documentation_name_real_options(line):
    """Catches a renamed command or option that the documentation still shows."""
    from salbench.cli.commands import cli

    words = line.split()[1:]
    command, context = cli, None
    while hasattr(command, "get_command") and words:
        command = command.get_command(context, words.pop(0))
        assert command is not None, line
    known = {name for parameter in command.params for name in parameter.opts}
    used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert used <= known, line


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
