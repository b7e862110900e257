"""nginx and Caddy, as deploy/ configures them, serve a published folder with the headers of the server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fronts import Origins, ask, front, nginx_of_folder
from tests.newsroom import ROOT, Newsroom
from tests.servers import serve_folder

pytestmark = pytest.mark.fuller

PATHS = (
    "/feed.rss",
    "/feed.atom",
    "/feed.json",
    "/",
    "/articles/a/",
    "/media/a.png",
    "/style.css",
    "/feeds.opml",
)
KEPT = (
    "content-type",
    "content-encoding",
    "cache-control",
    "vary",
    "last-modified",
    "link",
    "access-control-allow-origin",
    "x-content-type-options",
)
CODINGS = ("identity", "gzip", "br", "gzip, br", "gzip;q=0", "br;q=0.5, gzip;q=0", "deflate")
PRIVATE = ("/routes.json", "/serving.json", "/.feedwright.json", "/feed.rss.gz", "/feed.rss.br")


def nginx(folder: Path, origins: Origins, port: int) -> list[str]:
    return nginx_of_folder(folder, folder / "there", port)


def caddy(folder: Path, origins: Origins, port: int) -> list[str]:
    site = (
        (ROOT / "deploy/published.Caddyfile").read_text("utf-8").replace("/srv/feeds", str(folder / "there"))
    )
    site = site.replace("news.example {", f"http://127.0.0.1:{port} {{").replace(
        "news.example", "example.org"
    )
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{site}", "utf-8")
    return ["caddy", "run", "--config", f"{folder}/Caddyfile"]


@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_a_published_folder_is_served_as_the_server_serves_public(
    name: str, newsroom: Newsroom, tmp_path: Path
) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    newsroom.article("a", "The ferries run again. " * 200)
    newsroom.write("media/a.png", b"a picture")
    newsroom.build()
    assert newsroom.run("publish", str(tmp_path / "there")).returncode == 0
    command = {"nginx": nginx, "caddy": caddy}[name]
    with serve_folder(newsroom.public) as origin, front(tmp_path, command, 0) as port:
        for path in PATHS:
            tags = set()
            for coding in CODINGS:
                direct = ask(origin, path, **{"Accept-Encoding": coding})
                ours = ask(port, path, **{"Accept-Encoding": coding})
                assert (ours[0], ours[2]) == (direct[0], direct[2]), (path, coding)
                assert {key: ours[1].get(key) for key in KEPT} == {key: direct[1].get(key) for key in KEPT}
                tags.add((ours[1].get("content-encoding"), ours[1]["etag"]))
                again = ask(port, path, **{"Accept-Encoding": coding, "If-None-Match": ours[1]["etag"]})
                assert again[0] == 304
            assert len({tag for _, tag in tags}) == len({coding for coding, _ in tags})
        assert all(ask(port, path)[0] == 404 for path in (*PRIVATE, "/nothing"))
        assert ask(port, "/articles/a")[0] in (301, 308)
