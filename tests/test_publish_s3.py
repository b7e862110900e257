"""`feedwright publish` into a real object store; more of it, which takes longer, is in `tests/chaos`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from feeds.publish.record import KEY
from tests.fronts import Origins, front, nginx_with
from tests.fronts import ask as front_ask
from tests.newsroom import ROOT, Newsroom, files_of
from tests.servers import ask, serve_folder
from tests.swift import Bucket, require_swift, swift
from tests.test_publish_fronts import CODINGS, KEPT, PATHS

pytestmark = pytest.mark.fuller

SAID = ("content-type", "content-encoding", "cache-control")
FORMS = {"": "identity", ".gz": "gzip", ".br": "br"}


def test_objects_have_the_bytes_and_headers_that_the_server_answers_with(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    require_swift()
    newsroom.article("a", section="News")
    newsroom.write("media/a.png", b"a picture")
    newsroom.write("media/b.bin", b"who knows")
    newsroom.build()
    with swift(tmp_path / "swift") as store, serve_folder(newsroom.public) as port:
        bucket = Bucket(store)
        bucket.publish(newsroom)
        objects = bucket.objects()
        del objects[KEY]
        assert objects.keys() == files_of(newsroom.public).keys() - {"routes.json", "serving.json"}
        for path, data in objects.items():
            identity, suffix = re.fullmatch(r"(.*?)(\.gz|\.br)?", path).groups("")  # type: ignore[union-attr]
            address = f"/{identity.removesuffix('index.html')}"
            answer = ask(port, address, f"Accept-Encoding: {FORMS[suffix]}")
            said, _ = bucket.get(path)
            assert data == answer.body
            assert {name: said.get(name) for name in SAID} == {
                name: answer.headers.get(name) for name in SAID
            }
            assert said["x-object-meta-surrogate-key"] == address
        assert bucket.get("media/b.bin")[0]["content-disposition"] == "attachment"
        before = bucket.listed()
        assert bucket.publish(newsroom).startswith("0 files uploaded, 0 deleted")
        assert bucket.listed() == before
        if shutil.which("nginx"):
            with front(tmp_path, partial(nginx, bucket=bucket), store.port) as through:
                compare(through, port)


def nginx(folder: Path, origins: Origins, port: int, bucket: Bucket) -> list[str]:
    site = (
        (ROOT / "deploy/bucket.nginx.conf")
        .read_text("utf-8")
        .replace("listen 80", f"listen 127.0.0.1:{port}")
    )
    site = site.replace("news.s3.eu-central-1.amazonaws.com:443", f"127.0.0.1:{origins[0]}")
    site = site.replace("$1$form", f"/v1/AUTH_test/{bucket.name}/site$1$form").replace(
        "https://feed", "http://feed"
    )
    return nginx_with(folder, site.replace("news.example", "example.org"))


def compare(through: int, port: int) -> None:
    """What nginx answers from the bucket with what the server answers from `public/`."""
    for path in (*PATHS, "/sections/news/feed.rss", "/sections/news/", "/media/b.bin", "/favicon.ico"):
        for coding in CODINGS:
            ours = front_ask(through, path, **{"Accept-Encoding": coding})
            direct = front_ask(port, path, **{"Accept-Encoding": coding})
            assert (ours[0], ours[2]) == (direct[0], direct[2]), (path, coding)
            kept = set(KEPT) - {"last-modified"}
            assert {key: ours[1].get(key) for key in kept} == {key: direct[1].get(key) for key in kept}
            tag = ours[1]["etag"]
            again = front_ask(through, path, **{"Accept-Encoding": coding, "If-None-Match": tag})
            assert (again[0], again[1]["etag"]) == (304, tag)
    assert front_ask(through, f"/{KEY}")[0] == 404


@pytest.mark.parametrize(
    ("path", "takes", "asked"),
    [
        ("/feed.rss", "gzip, deflate, br", "/feed.rss.br"),
        ("/feed.rss", "gzip, br;q=0", "/feed.rss.gz"),
        ("/sections/news/feed.json", "br;q=0.5", "/sections/news/feed.json.br"),
        ("/tags/x/feed.json", "br", "/tags/x/feed.json"),
        ("/tags/x/feed.json", "br, gzip", "/tags/x/feed.json.gz"),
        ("/articles/a/", "gzip", "/articles/a/index.html.gz"),
        ("/", "", "/index.html"),
        ("/media/b.png", "gzip, br", "/media/b.png"),
        ("/favicon.ico", "gzip, br", "/favicon.ico"),
    ],
)
def test_the_function_for_cloudfront_asks_for_the_form_that_a_client_takes(
    path: str, takes: str, asked: str
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    event = {"request": {"uri": path, "headers": {"accept-encoding": {"value": takes}} if takes else {}}}
    script = (ROOT / "deploy/cloudfront.js").read_text("utf-8")
    script += f"console.log(handler({json.dumps(event)}).uri)"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == asked
