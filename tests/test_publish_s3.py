"""`feedwright publish` into a real object store; more of it, which takes longer, is in `tests/chaos`."""

from __future__ import annotations

import re
from pathlib import Path

from feeds.publish.record import KEY
from tests.newsroom import Newsroom, files_of
from tests.servers import ask, serve_folder
from tests.swift import Bucket, require_swift, swift

SAID = ("content-type", "content-encoding", "cache-control")
FORMS = {"": "identity", ".gz": "gzip", ".br": "br"}


def test_objects_have_the_bytes_and_headers_that_the_server_answers_with(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    require_swift()
    newsroom.article("a", section="News")
    newsroom.write("media/b.png", b"a picture")
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
