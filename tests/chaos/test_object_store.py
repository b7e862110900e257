"""`feedwright publish` into a real object store: OpenStack Swift, asked by S3 and, as readers do, by HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feeds.publish.record import KEY
from tests.live import command_of
from tests.newsroom import ROOT, Newsroom, files_of
from tests.swift import SECRET, USER, Bucket, Swift, require_swift, swift

pytestmark = pytest.mark.chaos

NAMES = ("a b.txt", "c#1.png", "d?.jpg", "e%20.gif", "f&;.svg", "ñ文.webp", "g+h~.mp3")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    require_swift()
    with swift(tmp_path_factory.mktemp("swift")) as store:
        yield store


@pytest.fixture
def built(newsroom: Newsroom) -> Newsroom:
    newsroom.article("a", section="News", tags="[x]")
    newsroom.article("b")
    newsroom.write("media/b.png", b"a picture")
    newsroom.write("media/b.bin", b"who knows")
    newsroom.build()
    return newsroom


@pytest.fixture
def bucket(store: Swift) -> Bucket:
    return Bucket(store)


def uploaded(newsroom: Newsroom) -> dict[str, bytes]:
    """What is to be there."""
    files = files_of(newsroom.public)
    return {path: data for path, data in files.items() if path not in ("routes.json", "serving.json")}


@pytest.mark.row("EX-07")
def test_where_nothing_changed_no_object_is_touched(built: Newsroom, bucket: Bucket) -> None:
    bucket.publish(built)
    before, log = bucket.listed(), len(bucket.store.log("proxy"))
    assert bucket.publish(built).startswith("0 files uploaded, 0 deleted")
    assert bucket.listed() == before
    assert not re.search("PUT|POST|DELETE", bucket.store.log("proxy")[log:])


@pytest.mark.row("EX-03")
def test_only_what_changed_goes_up_and_what_is_gone_is_deleted(built: Newsroom, bucket: Bucket) -> None:
    bucket.publish(built)
    before = bucket.listed()
    (built.content / "articles/a.md").unlink()
    built.build()
    bucket.publish(built)
    after = bucket.listed()
    assert after.keys() - {KEY} == uploaded(built).keys()
    assert after["articles/b/index.html"] == before["articles/b/index.html"]
    assert after["feed.rss.gz"] != before["feed.rss.gz"]


@pytest.mark.row("EX-04")
def test_objects_of_somebody_else_stay(built: Newsroom, bucket: Bucket) -> None:
    bucket.store.put(bucket.name, "site/CNAME", b"example.org")
    bucket.store.put(bucket.name, "siteless", b"a neighbour")
    assert "1 files in s3://" in bucket.publish(built)
    (built.content / "articles/a.md").unlink()
    built.build()
    bucket.publish(built)
    assert bucket.get("CNAME")[1] == b"example.org"


@pytest.mark.row("EX-08")
def test_objects_with_odd_names_are_at_their_addresses(built: Newsroom, bucket: Bucket) -> None:
    for name in NAMES:
        built.write(f"media/{name}", name)
        built.article(f"n-{name.partition('.')[0]}", title=f"'{name}'", slug=f"ñ-{len(name)}{ord(name[0])}")
    built.build()
    bucket.publish(built)
    for name in NAMES:
        assert bucket.get(f"media/{name}")[1] == name.encode()
    objects = bucket.objects()
    del objects[KEY]
    assert objects == uploaded(built)


def test_a_large_file_goes_up_in_parts_and_is_whole(built: Newsroom, bucket: Bucket) -> None:
    film = os.urandom(1 << 20) * 20
    built.write("media/film.mp4", film)
    built.build()
    bucket.store.make_bucket(f"{bucket.name}+segments")
    bucket.publish(built)
    said, body = bucket.get("media/film.mp4")
    assert body == film
    assert said["content-type"] == "video/mp4"
    assert said["cache-control"] == "public, max-age=86400"


@pytest.mark.row("EX-06", "EX-09")
@pytest.mark.parametrize("because", ["may-not-write", "wrong-secret", "no-bucket", "nobody-there"])
def test_a_refusal_names_bucket_and_key_and_no_secret(built: Newsroom, store: Swift, because: str) -> None:
    bucket = Bucket(store, ".r:*,.rlistings,test:reader")
    bucket.publish(built)
    before = bucket.listed()
    built.article("c")
    built.build()
    wrong = {
        "may-not-write": {"AWS_ACCESS_KEY_ID": "test:reader", "AWS_SECRET_ACCESS_KEY": "reads-a-secret"},
        "wrong-secret": {"AWS_SECRET_ACCESS_KEY": "not-the-secret"},
        "no-bucket": {},
        "nobody-there": {"AWS_ENDPOINT_URL": "http://me:a-secret@127.0.0.1:9"},
    }[because]
    url = "s3://nowhere/site" if because == "no-bucket" else bucket.url
    done = built.run("publish", url, **store.environment | wrong)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"feedwright: {url}")
    reason = {
        "may-not-write": r"/\.feedwright\.json: 127\.0\.0\.1:\d+: 403 Forbidden \(AccessDenied\)",
        "wrong-secret": r"/\.feedwright\.json: 127\.0\.0\.1:\d+: 403 Forbidden \(SignatureDoesNotMatch\)",
        "no-bucket": r": 127\.0\.0\.1:\d+: 404 Not Found \(NoSuchBucket\)",
        "nobody-there": r"/\.feedwright\.json: 127\.0\.0\.1:9: cannot be reached \(Connection refused\)",
    }[because]
    assert re.search(reason, line)
    assert not re.search("secret|Signature(?!Does)|AWS4|test:", line)
    assert bucket.listed() == before


@pytest.mark.row("EX-06")
def test_where_one_object_cannot_go_up_nothing_that_points_to_it_does(
    built: Newsroom, bucket: Bucket
) -> None:
    """Swift refuses names of more than 1,024 bytes."""
    bucket.publish(built)
    before = bucket.listed()
    deep = "/".join(["d" * 200] * 5)
    built.write(f"media/{deep}/deep.png", b"deep")
    built.article("c", f"![](/media/{deep}/deep.png)")
    built.build()
    done = bucket.run(built)
    assert done.returncode == 2
    assert f"{bucket.url}/media/{deep}/deep.png: " in done.stderr
    after = bucket.listed()
    del before[KEY], after[KEY]
    assert after == before
    (built.content / f"media/{deep}/deep.png").unlink()
    built.build()
    bucket.publish(built)
    assert bucket.listed().keys() - {KEY} == uploaded(built).keys()


@pytest.mark.row("EX-09")
def test_secrets_are_in_no_list_of_processes_no_object_and_no_file(built: Newsroom, bucket: Bucket) -> None:
    command = [
        sys.executable,
        "-m",
        "feeds",
        "publish",
        bucket.url,
        "--content",
        str(built.content),
        "--watch",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | bucket.store.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        said = process.stderr.readline()
        assert " files uploaded, 0 deleted in " in said
        processes = [command_of(int(one.name)) for one in Path("/proc").glob("[0-9]*")]
        process.terminate()
        said += process.stderr.read()
    beside = b"".join(files_of(built.public.with_name("public.index")).values())
    texts = [said.encode(), beside, *processes, *bucket.objects().values()]
    assert all(SECRET.encode() not in text and USER.encode() not in text for text in texts)


@pytest.mark.row("SC-01")
def test_replicas_that_publish_the_same_leave_tags_and_times(built: Newsroom, bucket: Bucket) -> None:
    bucket.publish(built)
    before = bucket.listed()
    for number in range(2):
        replica = built.build(built.content.parent / f"replica-{number}/public")
        assert bucket.publish(built, "--output", str(replica)).startswith("0 files uploaded, 0 deleted")
    assert bucket.listed() == before
