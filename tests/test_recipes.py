"""The recipes of the documents, as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.newsroom import ROOT, Newsroom

PRE_COMMIT = os.environ.get("FEEDWRIGHT_PRE_COMMIT", "")
"""The program pre-commit."""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs/howto" / page).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


SHELL = blocks("check-in-ci.md", "sh")[0].splitlines()
GITHUB, GITLAB, HOOK = (yaml.safe_load(block) for block in blocks("check-in-ci.md", "yaml"))


def in_a_shell(newsroom: Newsroom, script: str) -> subprocess.CompletedProcess[str]:
    """Runs `script` beside the content folder, with `feedwright` where it is looked for."""
    programs = newsroom.content.parent / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "feedwright"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m feeds "$@"\n', "utf-8")
    program.chmod(0o755)
    return subprocess.run(
        ["sh", "-euc", script],
        cwd=newsroom.content.parent,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_line_for_ci_fails_with_an_error_and_passes_with_a_warning(newsroom: Newsroom) -> None:
    newsroom.article("odd", tittle="Odd")
    assert in_a_shell(newsroom, SHELL[1]).returncode == 0
    newsroom.article("bad", published="never")
    done = in_a_shell(newsroom, SHELL[1])
    assert done.returncode == 1
    assert "articles/bad.md:3:1: error[date-invalid]" in done.stdout


def test_the_recipes_for_github_and_gitlab_run_the_same_lines() -> None:
    assert [step["run"] for step in GITHUB["jobs"]["check"]["steps"] if "run" in step] == SHELL
    assert GITLAB["check"]["script"] == SHELL


@pytest.mark.fuller
def test_schemas_that_lie_where_the_document_says_are_no_articles(newsroom: Newsroom) -> None:
    done = in_a_shell(newsroom, blocks("editor.md", "sh")[0])
    assert (done.returncode, done.stderr) == (0, "")
    assert (newsroom.content / ".schemas/front-matter.json").read_bytes() == (
        ROOT / "schemas/front-matter.json"
    ).read_bytes()
    newsroom.article("a")
    assert newsroom.run("check").stdout == ""
    newsroom.build()


# pre-commit


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@b.example", *arguments],
        cwd=folder,
        env={**os.environ, "PRE_COMMIT_HOME": str(folder.parent / "home")},
        capture_output=True,
        text=True,
        timeout=500,
    )


def commit_all(folder: Path) -> subprocess.CompletedProcess[str]:
    git(folder, "add", "--all")
    return git(folder, "commit", "-m", "x")


def published_here(folder: Path) -> str:
    """Makes a repository of this Feedwright, from which pre-commit installs it; gives its commit."""
    folder.mkdir()
    shutil.copytree(ROOT / "feeds", folder / "feeds", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init")
    assert commit_all(folder).returncode == 0
    return git(folder, "rev-parse", "HEAD").stdout.strip()


@pytest.mark.skipif(not PRE_COMMIT, reason="FEEDWRIGHT_PRE_COMMIT names no pre-commit")
def test_the_hook_refuses_a_commit_with_an_error_and_no_other(newsroom: Newsroom) -> None:
    desk = newsroom.content.parent
    hook = HOOK["repos"][0]
    hook |= {"repo": str(desk / "feedwright"), "rev": published_here(desk / "feedwright")}
    (desk / ".gitignore").write_text("/feedwright/\n/home/\n", "utf-8")
    (desk / ".pre-commit-config.yaml").write_text(yaml.safe_dump(HOOK), "utf-8")
    git(desk, "init")
    subprocess.run([PRE_COMMIT, "install"], cwd=desk, check=True, capture_output=True)

    newsroom.article("bad", published="never")
    refused = commit_all(desk)
    assert refused.returncode == 1
    assert "articles/bad.md:3:1: error[date-invalid]" in refused.stdout + refused.stderr
    newsroom.article("bad")
    accepted = commit_all(desk)
    assert accepted.returncode == 0, accepted.stderr
    assert re.search(r"feedwright check\.+Passed", accepted.stderr)

    (desk / "notes.md").write_text("Not below content/.", "utf-8")
    assert "Skipped" in commit_all(desk).stderr
    newsroom.write("media/a.png", b"a picture")
    assert "Passed" in commit_all(desk).stderr
    assert git(desk, "status", "--porcelain").stdout == ""


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        ("content/publication.toml", True),
        ("content/articles/a.html", True),
        ("content/media/port.jpg", True),
        ("media/port.jpg", True),
        ("ledger.jsonl", True),
        ("deploy.py", False),
        ("social-media/a.jpg", False),
        ("content/a.mdx", False),
    ],
)
def test_the_hook_runs_for_what_can_make_a_problem(path: str, runs: bool) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert bool(re.search(hook["files"], path)) == runs
    assert hook["pass_filenames"] is False
