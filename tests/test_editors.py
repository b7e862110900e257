"""What editors do with the schemas: their language servers, with files set up as in docs/howto/editor.md.

They are npm packages, see `tests/editors/`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.newsroom import EXAMPLE, ROOT, Newsroom

SERVERS = ROOT / "tests/editors/node_modules/.bin"

pytestmark = [
    pytest.mark.fuller,
    pytest.mark.skipif(not SERVERS.exists(), reason="needs `npm ci` in tests/editors"),
]

MODELINE = "# yaml-language-server: $schema=../.schemas/front-matter.json\n"


@pytest.fixture
def desk(newsroom: Newsroom) -> Newsroom:
    for name in ("front-matter", "publication"):
        newsroom.write(f".schemas/{name}.json", (ROOT / f"schemas/{name}.json").read_bytes())
    return newsroom


class Server:
    """The YAML language server, spoken to as an editor does (Language Server Protocol 3.17)."""

    def __init__(self, into: IO[bytes], out: IO[bytes]) -> None:
        self.into, self.out, self.asked = into, out, 0

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        self.asked += 1
        self._send({"id": self.asked, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == self.asked and "method" not in message)[
            "result"
        ]

    def open(self, file: Path) -> list[str]:
        """Opens `file`; what is said of it, each with its line."""
        text = file.read_text("utf-8")
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)
        said = self._until(lambda message: message.get("params", {}).get("uri") == file.as_uri())
        found = said["params"]["diagnostics"]
        return sorted(f"{one['range']['start']['line'] + 1} {one['message']}" for one in found)

    def completed(self, file: Path, line: int, character: int) -> dict[str, str]:
        """What is offered at a place, with its documentation."""
        where = {"line": line, "character": character}
        found = self.ask("textDocument/completion", textDocument={"uri": file.as_uri()}, position=where)
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: str(item.get("documentation", "")) for item in items}

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.into.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.into.flush()

    def _until(self, is_wanted: Any) -> dict[str, Any]:
        while True:
            length = 0
            while (header := self.out.readline().strip()) or not length:
                assert header or length, "the server has ended"
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            message: dict[str, Any] = json.loads(self.out.read(length))
            if is_wanted(message):
                return message
            if "method" in message and "id" in message:  # it asks for settings, one of which needs a network
                asked = message["params"].get("items", [])
                self._send(
                    {"id": message["id"], "result": [{"schemaStore": {"enable": False}} for _ in asked]}
                )


@contextmanager
def yaml_server(folder: Path) -> Iterator[Server]:
    command = [str(SERVERS / "yaml-language-server"), "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        server = Server(process.stdin, process.stdout)
        server.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities={})
        server.tell("initialized")
        try:
            yield server
        finally:
            process.kill()


def test_an_editor_completes_keys_of_an_article_and_shows_what_to_write(desk: Newsroom) -> None:
    file = desk.write(
        "articles/a.yaml", f"{MODELINE}title: A\ndate: 2026-05-12 13:20\nimage:\n  url: /a.jpg\n  \n"
    )
    with yaml_server(desk.content) as server:
        assert server.open(file) == []
        keys = server.completed(file, 6, 0)
        assert {"section", "tags", "authors", "author", "summary", "enclosure"} <= keys.keys()
        assert "title" not in keys
        assert "write section: Culture" in keys["section"]
        assert {"alt", "credit", "width"} <= server.completed(file, 5, 2).keys()


def test_an_editor_marks_mistakes_with_what_to_write(desk: Newsroom) -> None:
    text = (
        f"{MODELINE}title: A\npublished: tomorrow\ntittle: x\nlink: javascript:alert(1)\ntags: [2024, no]\n"
    )
    with yaml_server(desk.content) as server:
        assert server.open(desk.write("articles/a.yaml", text)) == [
            "3 write published: 2026-05-12 13:20",
            "4 Property tittle is not allowed.",
            "5 write link: https://example.org/the-article",
        ]


def test_an_editor_finds_nothing_to_mark_in_the_example(desk: Newsroom) -> None:
    with yaml_server(desk.content) as server:
        checked = 0
        for file in EXAMPLE.content.rglob("articles/**/*"):
            block = (
                re.match(r"---\n(.*?\n)---\n", file.read_text("utf-8"), re.DOTALL) if file.is_file() else None
            )
            if block:
                checked += 1
                assert server.open(desk.write(f"articles/{file.stem}.yaml", MODELINE + block[1])) == []
        assert checked > 10


def taplo(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SERVERS / "taplo", "lint", file.name], cwd=file.parent, capture_output=True, text=True, timeout=60
    )


def test_taplo_accepts_the_example_and_marks_a_slip(desk: Newsroom) -> None:
    text = (EXAMPLE.content / "publication.toml").read_text("utf-8")
    file = desk.write("publication.toml", f"#:schema .schemas/publication.json\n{text}")
    done = taplo(file)
    assert done.returncode == 0, done.stderr
    desk.write("publication.toml", f'#:schema .schemas/publication.json\ntitel = "x"\n{text}')
    assert "('titel' was unexpected)" in taplo(file).stderr
