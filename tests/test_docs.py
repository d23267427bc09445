"""Every code block of README.md and docs/*.md does what the page says.

- ```python blocks run, in order; those of one file share their names.
- A ```text block right after a ```python block is what that block prints. A line `...` stands for any lines, `...`
  within a line for anything.
- ```console blocks are commands: `$ graphc ...` must be a command line that graphc takes, `$ make ...` name a target.

Pages run in an empty folder, so they may write files.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphc.compiler import STAGES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.is_file()]


@dataclass
class Block:
    language: str
    line: int  # of its first line of content, counted from 1
    text: str
    follows: bool  # whether only blank lines stand between it and the block before


def blocks(markdown: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = markdown.splitlines()
    language, start, last_end = None, 0, -1
    for number, line in enumerate(lines):
        fence = re.match(r"```(\w*)\s*$", line)
        if not fence:
            continue
        if language is None:
            language, start = fence[1], number + 1
        else:
            follows = last_end >= 0 and not any(between.strip() for between in lines[last_end + 1 : start - 1])
            yield Block(language, start + 1, "\n".join(lines[start:number]) + "\n", follows)
            language, last_end = None, number
    assert language is None, f"the block that begins at line {start} does not end"


def run_page(markdown: str, file: str) -> None:
    """Runs a page's Python blocks and compares what they print."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed, before = "", None
    for block in blocks(markdown):
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, file, "exec")  # errors then name the page's own line
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, names)
            printed = out.getvalue()
        elif block.language == "text" and block.follows and before == "python":
            assert matches(printed, block.text), (
                f"{file}:{block.line}: the block before prints\n{printed}\nthe page says\n{block.text}"
            )
        before = block.language


def matches(printed: str, expected: str) -> bool:
    """Whether the text is as expected, but for `...` and blanks at the ends of lines."""
    parts = []
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(r".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n")
    text = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch("".join(parts), text) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_python_blocks_run_and_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(page.read_text(encoding="utf-8"), str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_exist(page):
    from graphc.cli import parser

    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for block in blocks(page.read_text(encoding="utf-8")):
        for line in block.text.splitlines() if block.language == "console" else ():
            words = shlex.split(line.partition("|")[0].removeprefix("$ "), comments=True)
            if line.startswith("$ graphc "):
                parser().parse_args(words[1:])
            elif line.startswith("$ make"):
                assert set(words[1:]) <= targets, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_a_page_names_exists(page):
    """In backquotes: files, and names of the project's code or of a module that it imports."""
    wrong = {name for _, name in quoted(prose(page.read_text(encoding="utf-8"))) if not known(name)}
    assert wrong == set()


def test_comments_name_files_and_modules_that_exist():
    """Names in capitals stand for any."""
    wrong = []
    for path, text in SOURCES.items():
        for line, name in quoted(text):
            files = [file for file in re.findall(r"[\w/]+\.py\b", name) if not is_file(file) and file not in EXAMPLES]
            modules = [found for found in re.findall(r"\bgraphc(?:\.\w+)+", name) if not resolves(found)]
            wrong += [f"{path.relative_to(ROOT)}:{line} names {found}" for found in (*files, *modules)]
    assert wrong == []


SOURCES = {
    path: path.read_text(encoding="utf-8")
    for folder in ("graphc", "passes", "runtime", "benchmarks", "examples", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}

EXAMPLES = {"FILE.py", "PROGRAM.py", "NAME.py", "file.py", "lenet.py", "mnist.py"}
"""What users' programs are called."""


def prose(markdown: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), markdown, flags=re.MULTILINE | re.DOTALL)


def quoted(text: str) -> Iterator[tuple[int, str]]:
    """What stands in backquotes, with the number of its line."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in re.findall(r"`([^`]+)`", line):
            yield number, found


@functools.cache
def words() -> frozenset[str]:
    """Every name in the code."""
    found = {path.stem for path in SOURCES}
    for text in SOURCES.values():
        found.update(re.findall(r"[^\W\d]\w*", text))
    return frozenset(found)


def known(name: str) -> bool:
    if re.fullmatch(r"[\w/]+\.py", name):
        return is_file(name) or name.endswith("NAME.py")
    owner, _, member = name.partition(".")
    if re.fullmatch(r"\w+\.\w+", name) and (bodies := classes().get(owner)):
        return any(re.search(rf"\b{member}\b", body) for body in bodies)
    return set(re.findall(r"(?<![.\w/])[^\W\d]\w*", name)) <= words()


@functools.cache
def classes() -> dict[str, list[str]]:
    """The texts of every class, by its name."""
    found: dict[str, list[str]] = {}
    for text in SOURCES.values():
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return found


def is_file(name: str) -> bool:
    """Whether a source file has this name, or this end of a path."""
    return any(path.as_posix().endswith(f"/{name}") for path in SOURCES)


def resolves(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


# The checker itself


def test_a_wrong_output_is_found():
    good = "```python\nprint(1)\nprint(2.5)\n```\n\n```text\n1\n2...\n```\n"
    run_page(good, "page.md")
    with pytest.raises(AssertionError, match=r"page\.md:7"):
        run_page(good.replace("\n1\n2...", "\n1\n3..."), "page.md")


def test_an_error_names_the_pages_line():
    with pytest.raises(ZeroDivisionError) as caught:
        run_page("# title\n\n```python\nx = 1\nx / 0\n```\n", "page.md")
    assert caught.traceback[-1].lineno + 1 == 5


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nc\n", "a\n...\nc\n", True),
        ("a\nb\nd\n", "a\n...\nc\n", False),
        ("time 1.5 ms  \n", "time ... ms\n", True),
        ("a.b\n", "axb\n", False),
        ("", "a\n", False),
        ("a\nb\n", "a\n", False),
    ],
)
def test_matching(printed, expected, same):
    assert matches(printed, expected) is same


def test_the_page_on_how_it_works_knows_all_stages_and_passes() -> None:
    """In order; and of each module of `passes/` which stage it serves."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("| stage, as it is dumped |") :].split("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines()[2:]]
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row[1])) == STAGES
    named = {name for row in rows for cell in row[1:] for name in re.findall(r"`(?:passes/)?(\w+)(?:\.py)?`", cell)}
    modules = {path.stem for path in (ROOT / "passes").glob("*.py")} - {"__init__", "nodes"}
    assert modules <= named, f"without a stage: {sorted(modules - named)}"
