"""The commands."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import multiprocessing
import os
import re
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

import feeds
from feeds import log as logs
from feeds.problems import ContentError, Problem, printable
from feeds.terminal import problem_line, wants_no_colour

if TYPE_CHECKING:
    from feeds.publish.purge import Purge
    from feeds.publish.store import Store

LONG = 1_000
"""Files of which a person likes to see that they get fewer."""

SOME = 20
"""The same, of files that go over a network."""

FINE, PROBLEMS, COULD_NOT_RUN = 0, 1, 2

log = logging.getLogger("feeds")


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option that also reads `FEEDWRIGHT_<OPTION>`."""
    variable = "FEEDWRIGHT_" + names[0].lstrip("-").upper().replace("-", "_")
    return click.option(*names, envvar=variable, show_default=settings.pop("show_default", True), **settings)


content_option = option(
    "--content",
    type=click.Path(path_type=Path),
    default=Path("content"),
    help="Folder with publication.toml and the articles.",
)
output_option = option(
    "--output",
    type=click.Path(path_type=Path),
    show_default="public/ beside the content folder",
    help="Folder that is published.",
)
ledger_option = option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="ledger.jsonl in the content folder",
    help="File that remembers ids, removals and archive pages.",
)
log_option = option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", help="Form of the lines on stderr."
)


def address(text: str) -> tuple[str, int]:
    """A host, in brackets if it is an IPv6 address, and a port; or a port of 127.0.0.1."""
    found = re.fullmatch(r"(?:(?:\[([^]]+)\]|([^:]+)):)?([0-9]{1,5})", text)
    if not found or not 0 < int(found[3]) < 1 << 16:
        raise click.BadParameter(f"{text} is no address; write one such as 127.0.0.1:9100 or [::1]:9100")
    return found[1] or found[2] or "127.0.0.1", int(found[3])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(feeds.__version__, prog_name="feedwright")
def cli() -> None:
    """Turn a folder of articles into RSS, Atom and JSON feeds, and serve them.

    Every option also reads the environment: --max-x is FEEDWRIGHT_MAX_X.
    Exit status: 0 fine, 1 problems in the content, 2 could not run.
    NO_COLOR in the environment keeps messages plain on a terminal.
    """
    if wants_no_colour():
        click.get_current_context().color = False


@cli.command(epilog="Example: feedwright serve --content newsroom --port 8080")
@content_option
@output_option
@option("--host", default="127.0.0.1", help="Address to listen on; :: for every one of this machine.")
@option("--port", type=click.IntRange(1, 65535), default=8000, help="Port to listen on.")
@option(
    "--workers",
    type=click.IntRange(1, 256),
    show_default="one for each core",
    help="Processes that answer requests.",
)
@option(
    "--metrics",
    type=address,
    show_default="off",
    help="Address, or port of 127.0.0.1, that answers Prometheus at /metrics.",
)
@option("--no-build", is_flag=True, help="Only serve the output folder, which another process fills.")
@ledger_option
@log_option
def serve(
    content: Path,
    output: Path | None,
    host: str,
    port: int,
    workers: int | None,
    metrics: tuple[str, int] | None,
    no_build: bool,
    ledger: Path | None,
    log_format: logs.Form,
) -> None:
    """Build, watch and serve: a save is in the feeds within a second."""
    from feeds.serve import default_workers
    from feeds.serve import serve as run
    from feeds.status import Status, may_be_damaged, write_status

    logs.configure(log_format)
    output = _output(content, output)
    workers = workers or default_workers()
    if no_build:
        sys.exit(run(output, host, port, workers, log_format=log_format, metrics=metrics))
    _require_content(content)
    _require_own_folder(content, output)
    with _one_builder(output), _failures_told(output):
        if may_be_damaged(output):
            _in_a_process(_mend, output)
        write_status(output, Status(ready=False, builder=os.getpid()))
    builder = [sys.executable, "-m", "feeds", "build", "--watch", "--log-format", log_format]
    builder += ["--content", str(content), "--output", str(output)]
    builder += ["--ledger", str(ledger)] if ledger else []
    pinger = [sys.executable, "-m", "feeds", "ping", "--watch", "--log-format", log_format]
    pinger += ["--output", str(output)]
    sys.exit(run(output, host, port, workers, builder, pinger, log_format, metrics))


@cli.command(epilog="Example: feedwright build --content newsroom --output /srv/feeds")
@content_option
@output_option
@option("--watch", is_flag=True, help="Go on, and build again whenever the content changes.")
@option("--now", metavar="TIME", help="Build what is due at this moment, for tests and previews.")
@option("--keep-going", is_flag=True, help="Exit 0 although some files have errors.")
@option("--no-compress", is_flag=True, help="Write no .gz and .br files.")
@ledger_option
@log_option
def build(
    content: Path,
    output: Path | None,
    watch: bool,
    now: str | None,
    keep_going: bool,
    no_compress: bool,
    ledger: Path | None,
    log_format: logs.Form,
) -> None:
    """Write every feed and page into the output folder.

    A file with an error is left out and reported; the rest is published.
    """
    from feeds.build import Builder
    from feeds.building import build_once, keep_building
    from feeds.dates import rfc3339

    logs.configure(log_format)
    output = _output(content, output)
    _require_content(content)
    _require_own_folder(content, output)
    moment = _moment(now)
    settings: dict[str, Any] = {"clock": lambda: moment} if moment else {}
    settings |= {"preview": bool(moment), "patient": watch}
    if sys.stderr.isatty() and not watch:
        settings["progress"] = _progress_bars()
    builder = Builder(content, output, not no_compress, ledger=ledger, **settings)
    with _one_builder(output), builder, _failures_told(output):
        if watch:
            keep_building(builder, output)
            return
        built = build_once(builder, output)
    summary = f"{built.articles} articles in {built.feeds} feeds; {built.changed} files changed in {output}"
    click.echo(click.style(summary, fg="yellow" if built.has_errors else "green"))
    if built.next_due:
        click.echo(f"build again at {rfc3339(built.next_due)}: then the next article is due")
    sys.exit(PROBLEMS if built.has_errors and not keep_going else FINE)


@cli.command(epilog="Example: feedwright check --content newsroom")
@content_option
@option("--json", "as_json", is_flag=True, help="Print the problems as a JSON list.")
@click.option("--explain", metavar="CODE", help="Print what the rule CODE is about, and do not check.")
@output_option
@ledger_option
def check(
    content: Path, as_json: bool, explain: str | None, output: Path | None, ledger: Path | None
) -> None:
    """Print every problem as path:line:column: level[code] message; what to write.

    An error keeps its file out of the feeds. What a warning is about is published. Where something was
    built before, only what changed since the last check is read.
    """
    if explain:
        _explain(explain, as_json)
        return
    from feeds.check.content import check as run
    from feeds.status import index_folder

    logs.configure()
    _require_content(content)
    beside = index_folder(_output(content, output))
    kept = beside / "check" if os.access(beside, os.W_OK) else None
    with _failures_told(content):
        try:
            problems = run(content, ledger, kept)
        except ContentError as error:
            problems = error.problems
    if as_json:
        click.echo(json.dumps([problem.as_json() for problem in problems], indent=1))
    else:
        for problem in problems:
            click.echo(problem_line(problem))
    sys.exit(PROBLEMS if any(problem.level == "error" for problem in problems) else FINE)


def _explain(code: str, as_json: bool) -> None:
    import difflib

    from feeds.rules import RULES
    from feeds.rules.reference import explained, plain

    if code not in RULES:
        near = difflib.get_close_matches(code, RULES, 3, 0.4) or sorted(RULES)
        _fail(f"there is no rule {code}; there are {', '.join(near)}")
    rule = RULES[code]
    if as_json:
        rule = rule._replace(found=plain(rule.found), write=plain(rule.write))
        click.echo(json.dumps(rule._asdict(), ensure_ascii=False, indent=1))
    else:
        click.echo(explained(rule))


@cli.command(epilog="Example: feedwright status --content newsroom")
@content_option
@output_option
def status(content: Path, output: Path | None) -> None:
    """Print what the running builder knows: problems, last build, next due moment."""
    from feeds.status import index_folder, read_status
    from feeds.websub.book import hub_line, read_hubs

    output = _output(content, output)
    known = read_status(output)
    if known is None:
        _fail("nothing was built yet; start with: feedwright serve")
    running = "running" if known.builder_is_running else "not running"
    state = f"{running}, {'ready' if known.ready else 'not ready'}"
    click.echo(f"builder: {click.style(state, fg='yellow' if 'not' in state else 'green')}")
    click.echo(f"published: {known.articles} articles in {known.feeds} feeds, built {known.built}")
    if known.left:
        click.echo(f"left to be made: {known.left} documents")
    click.echo(f"next due: {known.next_due or 'nothing'}")
    for hub in read_hubs(index_folder(output)):
        click.echo(hub_line(hub))
    click.echo(f"problems: {len(known.problems)}")
    for problem in known.problems:
        click.echo(problem_line(Problem.from_json(problem)))


@cli.command(epilog="Example: feedwright publish s3://bucket/news --content newsroom")
@click.argument("url")
@content_option
@output_option
@option("--watch", is_flag=True, help="Go on, and publish again after each build.")
@option(
    "--purge",
    metavar="HOOK",
    help="What has caches forget what changed: a URL with {path}, {key} or {url}, or a command that reads"
    " the addresses.",
)
@option("--overwrite", is_flag=True, help="Replace files there that were not published by feedwright.")
@log_option
def publish(
    url: str,
    content: Path,
    output: Path | None,
    watch: bool,
    purge: str | None,
    overwrite: bool,
    log_format: logs.Form,
) -> None:
    """Bring what was built to URL: s3://, gs://, az://, file:// or a folder.

    Only what changed goes there, and what is gone is deleted last. Credentials come from the environment.
    What cannot be uploaded is told, with exit status 2; the next time goes on from there.
    """
    from feeds.publish.keeping import Refused, keep_publishing, others_told, publish_once
    from feeds.publish.publisher import Publisher
    from feeds.status import index_folder
    from feeds.websub.book import Book
    from feeds.websub.teller import Teller

    logs.configure(log_format)
    output = _output(content, output)
    store, hook = _destination(url, output, content), _purge_hook(purge)
    progress = _progress_bars(SOME) if sys.stderr.isatty() and not watch else lambda *_: None
    with _one_publisher(output, store.url) as me, _failures_told(output):
        teller = Teller(Book(index_folder(output) / _name_for("hubs", store.url, ".sqlite")))
        publisher = Publisher(output, store, me, overwrite, hook, teller, progress, log.info)
        if watch:
            keep_publishing(publisher)
            return
        try:
            outcome = publish_once(publisher)
        except Refused as error:
            _fail(*map(str, error.args if not isinstance(error, OSError) else [error]))
        except KeyboardInterrupt:
            _fail("ended by you; the next time goes on from there")
    click.echo(f"{outcome.uploaded} files uploaded, {outcome.deleted} deleted in {store.url}")
    if outcome.others:
        click.echo(others_told(outcome.others, store.url))
    if outcome.untold:
        click.echo(f"{outcome.untold} pings are left for the next time; see feedwright status")


@cli.command(epilog="Example: feedwright ping --content newsroom")
@content_option
@output_option
@option("--watch", is_flag=True, help="Go on, and tell them after each build.")
@log_option
def ping(content: Path, output: Path | None, watch: bool, log_format: logs.Form) -> None:
    """Tell the hubs of publication.toml which feeds changed, as soon as readers get them.

    `serve` and `publish` do this themselves. It is for who brings the output folder to readers in
    another way. What a hub did not take is kept for the next time.
    """
    from feeds.committed import NothingBuiltError
    from feeds.lifeline import end_with_parent
    from feeds.websub.keeping import keep_telling, tell_once

    logs.configure(log_format)
    output = _output(content, output)
    if watch:
        end_with_parent()
    refusal = f"another feedwright tells the hubs what changed in {output}"
    with _locked(output, "ping.lock", refusal, patient=watch), _failures_told(output):
        if watch:
            keep_telling(output)
        try:
            left = tell_once(output)
        except NothingBuiltError as error:
            _fail(f"{error}; start with: feedwright build")
    if left:
        _fail(f"{left} pings are left for the next time; see feedwright status")


@cli.command(epilog="Example: feedwright confirm --content newsroom")
@content_option
@output_option
def confirm(content: Path, output: Path | None) -> None:
    """Accept that more than half of the articles are gone at once: they are removed now."""
    from feeds.status import confirmation_file, read_status

    output = _output(content, output)
    known = read_status(output)
    if known is None or not any(problem["code"] == "mass-removal" for problem in known.problems):
        _fail("nothing is held")
    confirmation_file(output).touch()
    when = "now" if known.builder_is_running else "at the next build"
    click.echo(f"accepted; the articles are removed {when}")


class Names(click.types.StringParamType):
    """Between those in the environment stands a semicolon: a name holds blanks, and may hold a comma."""

    envvar_list_splitter = ";"


@cli.command(epilog='Example: feedwright new "Harbour reopens after storm" --section News --edit')
@click.argument("title")
@content_option
@option("--section", help="Section of the article.")
@option("--author", "authors", type=Names(), multiple=True, help="Name of an author; may be repeated.")
@option("--edit", is_flag=True, help="Open the file in $VISUAL or $EDITOR.")
def new(title: str, content: Path, section: str | None, authors: tuple[str, ...], edit: bool) -> None:
    """Write a new article: a draft with TITLE, a fresh id and the current time."""
    from feeds.config import load_publication
    from feeds.source import read_article
    from feeds.source.folder import is_utf_8
    from feeds.source.media import MediaFolder
    from feeds.source.template import new_article

    _require_content(content)
    if not all(map(is_utf_8, (title, section or "", *authors))):
        _fail("the title, section and authors must be UTF-8; set the terminal to it")
    with _failures_told(content):
        publication, _ = load_publication(content)
        path, text = new_article(title, publication, datetime.now(UTC), uuid.uuid4(), section, authors)
        media = MediaFolder(content, publication.url)
        written = read_article(path, text.encode(errors="surrogateescape"), publication, media)
        if written.article is None:
            raise ContentError(*written.problems)
        file = content / path
        if file.exists():
            _fail(f"{file} exists already; choose another title")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    click.echo(file)
    if edit:
        _open(file)


def _open(file: Path) -> None:
    """In an editor, until the author closes it."""
    try:
        click.edit(filename=str(file))
    except (click.ClickException, ValueError) as error:
        _fail(f"no editor opened it ({error}); name one in VISUAL or EDITOR")


@cli.command(epilog="Example: feedwright ids --write --content newsroom")
@content_option
@option("--write", is_flag=True, help="Write each id into its file, which is otherwise left as it is.")
@ledger_option
def ids(content: Path, write: bool, ledger: Path | None) -> None:
    """Print each file that names no id, with the id that its article has.

    With its id in it, a file can be renamed and edited in one go.
    """
    from feeds.check.content import articles_without_id
    from feeds.output import replace_file
    from feeds.source.ids import with_id

    logs.configure()
    _require_content(content)
    with _failures_told(content):
        for article in sorted(articles_without_id(content, ledger), key=lambda article: article.path):
            if write:
                file = content / article.path
                written = with_id(article.path, file.read_bytes(), article.id)
                if written is None:
                    click.echo(
                        f"{printable(article.path)}: no line can be put first; write its id yourself",
                        err=True,
                    )
                else:
                    replace_file(file, written)
            click.echo(printable(f"{article.path}: {article.id}"))


@cli.command(epilog="Example: feedwright schema publication > publication.schema.json")
@click.argument("what", type=click.Choice(["front-matter", "publication"]))
def schema(what: str) -> None:
    """Print the JSON Schema of an article's metadata, or of publication.toml, for your editor."""
    from feeds.schema import front_matter_schema, publication_schema

    made = front_matter_schema() if what == "front-matter" else publication_schema()
    click.echo(json.dumps(made, ensure_ascii=False, indent=2))


def _mend(output: Path) -> None:
    from feeds.building import mend

    mend(output)


def _in_a_process(work: Callable[[Path], None], output: Path) -> None:
    """The supervisor does without what `work` imports."""
    process = multiprocessing.Process(target=work, args=(output,))
    process.start()
    process.join()


def _progress_bars(least: int = LONG) -> Callable[[str, int, int], None]:
    """A bar for each kind of work, on the terminal."""
    bars: dict[str, Any] = {}

    def show(what: str, done: int, total: int) -> None:
        if total < least:
            return
        if what not in bars:
            bars[what] = click.progressbar(length=total, label=what, file=sys.stderr, show_pos=True)
        bars[what].update(done - bars[what].pos)
        if done == total:
            bars[what].render_finish()

    return show


def _output(content: Path, output: Path | None) -> Path:
    return (output or content.absolute().parent / "public").absolute()


def _destination(url: str, output: Path, content: Path) -> Store:
    from feeds.publish.store import Folder, StoreError, opened

    try:
        store = opened(url)
    except (StoreError, ValueError) as error:
        _fail(str(error))
    if isinstance(store, Folder):
        _require_apart(store.folder, output, content)
    return store


def _purge_hook(hook: str | None) -> Purge | None:
    from feeds.publish.purge import Purge

    try:
        return None if hook is None else Purge(hook)
    except ValueError as error:
        _fail(f"--purge: {error}")


def _require_apart(folder: Path, output: Path, content: Path) -> None:
    for ours in (output.resolve(), content.resolve()):
        theirs = folder.resolve()
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            _fail(f"{folder} is, holds or lies in {ours}; name another folder to publish to")


def _require_own_folder(content: Path, output: Path) -> None:
    """Whatever is in the output folder and is not published any more is removed from it."""
    from feeds.status import index_folder

    ours, theirs = output.resolve(), content.resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        _fail(f"{output} is, holds or lies in the content folder; choose another folder with --output")
    names = {file.name for file in output.iterdir() if file.name[0] != "."} if output.is_dir() else set()
    if names and "serving.json" not in names and not (index_folder(output) / "index.sqlite").exists():
        _fail(
            f"{output} holds files of somebody else, such as {min(names)}; choose an empty one with --output"
        )


def _require_content(content: Path) -> None:
    if not content.is_dir():
        _fail(f"there is no folder {content}; name the one with publication.toml with --content")
    if not (content / "publication.toml").is_file():
        _fail(
            f'{content} has no publication.toml; write one with title = "…", description = "…" and url = "…"'
        )


def _moment(text: str | None) -> datetime | None:
    from feeds import dates

    if text is None:
        return None
    try:
        return dates.parse(text, dates.zone("UTC"))[0]
    except dates.DateError as error:
        _fail(f"--now: {error}; {error.hint}")


def _one_builder(output: Path) -> AbstractContextManager[TextIO]:
    """Two builders would undo each other's work."""
    return _locked(
        output,
        "lock",
        f"another feedwright builds into {output}; end it or choose another folder with --output",
    )


def _name_for(what: str, url: str, suffix: str) -> str:
    """Of a file beside the index that is of one destination."""
    return f"{what}-{hashlib.sha256(url.encode()).hexdigest()[:12]}{suffix}"


@contextmanager
def _one_publisher(output: Path, url: str) -> Iterator[str]:
    """Gives a name to publish under, which a publisher that was killed had too."""
    name = _name_for("publish", url, ".lock")
    with _locked(output, name, f"another feedwright publishes {output} to {url}") as lock:
        lock.seek(0)
        me = lock.read()
        if not me:
            me = uuid.uuid4().hex
            lock.write(me)
            lock.flush()
        yield me


@contextmanager
def _locked(output: Path, name: str, refusal: str, patient: bool = False) -> Iterator[TextIO]:
    """Holds the file `name` beside the index; the system frees the lock of a process that was killed.

    Who is `patient` waits until the other one ends.
    """
    from feeds.status import index_folder

    try:
        index_folder(output).mkdir(parents=True, exist_ok=True)
        lock = (index_folder(output) / name).open("a+")
    except OSError as error:
        _fail(f"cannot write beside {output}: {error.strerror}; choose another folder with --output")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not patient:
                _fail(refusal)
            log.info("%s; waiting for it", refusal)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


@contextmanager
def _failures_told(folder: Path) -> Iterator[None]:
    """`folder` is where the failure is, if it does not say so itself."""

    try:
        yield
    except ContentError as error:
        _fail(*map(str, error.problems))
    except OSError as error:
        _fail(f"{error.filename or folder}: {error.strerror}")
    except sqlite3.Error as error:
        free = shutil.disk_usage(folder.parent).free // 1024
        _fail(f"{folder}.index: {error}; {free:,} KiB are free there")


def _fail(*lines: str) -> NoReturn:
    for line in lines:
        click.echo(printable(f"feedwright: {line}"), err=True)
    sys.exit(COULD_NOT_RUN)


def main() -> None:
    """The `feedwright` command. Its child processes find this package where it was found."""
    here = str(Path(feeds.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    os.environ["PYTHONUTF8"] = "1"
    if sys.getfilesystemencoding() != "utf-8":  # in the C locale no file could be named after an author
        os.execv(sys.executable, [sys.executable, "-X", "utf8=1", "-m", "feeds", *sys.argv[1:]])
    cli(prog_name="feedwright")
