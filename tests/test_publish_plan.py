"""The plan of `publish`, for any two versions of `public/` and a publisher that is killed anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.documents import Kind
from feeds.publish.plan import Delete, File, Step, Upload, claimed, keys_of, note, stages

KINDS: dict[str, Kind] = {
    "media/a.png": "media",
    "style.css": "site",
    "articles/a/index.html": "article",
    "articles/b/index.html": "article",
    "archive/1.rss": "archive",
    "sections/n/index.html": "listing",
    "sections/n/feed.rss": "feed",
    "feed.rss": "feed",
    "index.html": "start",
    "feeds.opml": "outline",
    "routes.json": "routes",
    "serving.json": "serving",
}


@dataclass(frozen=True)
class Version:
    """What a file is in one version of `public/`, and the files that it points to."""

    file: File
    links: frozenset[str]


Public = dict[str, Version]


@st.composite
def publics(draw: st.DrawFn) -> Public:
    """Some of the files, each of which points to any of the others that are there."""
    paths = sorted(draw(st.sets(st.sampled_from(sorted(KINDS)))))
    public = {}
    for path in paths:
        links = frozenset(draw(st.sets(st.sampled_from(paths), max_size=3)))
        forms = draw(st.sampled_from(["", "gz", "gz br"]))
        number = draw(st.integers(0, 2))
        public[path] = Version(File(KINDS[path], forms, f"{number} {sorted(links)}"), links)
    return public


@dataclass
class Place:
    """A store: the version of each object. `record` is what is written down there."""

    objects: dict[str, Version] = field(default_factory=dict)
    record: dict[str, File] = field(default_factory=dict)

    def make(self, step: Step, public: Public) -> Iterator[None]:
        """One object at a time."""
        if isinstance(step, Delete):
            for key in step.keys:
                self.objects.pop(key, None)
                yield
        else:
            for key in keys_of(step.path, step.file.forms):
                self.objects[key] = public[step.path]
                yield

    def dead_links(self, path: str) -> set[str]:
        """Where `path` leads to nothing."""
        return {link for link in self.objects[path].links if link not in self.objects}

    def fingerprints(self) -> dict[str, str | None]:
        return {key: version.file.fingerprint for key, version in self.objects.items()}

    def pages(self) -> list[str]:
        return [path for path in self.objects if path in KINDS]


def fingerprints(public: Public) -> dict[str, str | None]:
    """Of every object that there is to be."""
    return {
        key: one.file.fingerprint for path, one in public.items() for key in keys_of(path, one.file.forms)
    }


def files(public: Public) -> dict[str, File]:
    return {path: version.file for path, version in public.items()}


def below(path: str, links: set[str]) -> set[str]:
    """Of `links` those to what `path` stands on; not those back up, such as to the start page."""
    rank = File(KINDS[path], "", "").rank
    return {link for link in links if File(KINDS[link], "", "").rank < rank}


def publish(place: Place, public: Public, data: st.DataObject, lives: bool = False) -> Iterator[None]:
    """Gives after each change of an object. A publisher that does not live is killed somewhere."""
    planned = stages(files(public), place.record)
    known = claimed(place.record, planned)
    place.record = dict(known)
    for stage in planned:
        for step in data.draw(st.permutations(stage)):
            if not lives and not data.draw(st.integers(0, 5)):
                return
            assert step.path in known or step.path in public
            yield from place.make(step, public)
            note(known, step)
            if data.draw(st.booleans()):
                place.record = dict(known)
    place.record = known


@given(publics(), publics(), st.data())
def test_a_reader_at_any_moment_sees_the_old_or_the_new_version_and_no_dead_link(
    old: Public, new: Public, data: st.DataObject
) -> None:
    objects = {key: one for path, one in old.items() for key in keys_of(path, one.file.forms)}
    place = Place(objects, files(old))
    for _ in publish(place, new, data, lives=True):
        for key, version in place.objects.items():
            path = key if key in KINDS else key.rpartition(".")[0]
            assert version in (old.get(path), new.get(path))
        for path in place.pages():
            stays = path in old and path in new
            assert (place.dead_links(path) if stays else below(path, place.dead_links(path))) == set()
    assert place.fingerprints() == fingerprints(new)
    assert place.record == files(new)


@pytest.mark.fuller
@given(st.lists(publics(), min_size=1, max_size=4), st.data())
def test_publishers_killed_again_and_again_leave_no_dead_link_and_nothing_behind(
    versions: list[Public], data: st.DataObject
) -> None:
    place = Place()
    for public in versions:
        for _ in publish(place, public, data):
            for path in place.pages():
                assert below(path, place.dead_links(path)) == set()
    for _ in publish(place, versions[-1], data, lives=True):
        pass
    assert place.fingerprints() == fingerprints(versions[-1])
    assert place.record == files(versions[-1])


@given(publics(), st.data())
def test_what_was_published_whole_has_nothing_left_to_do(public: Public, data: st.DataObject) -> None:
    place = Place()
    for _ in publish(place, public, data, lives=True):
        pass
    assert stages(files(public), place.record) == []


def test_files_go_in_the_order_in_which_they_point_to_each_other() -> None:
    here = {path: File(kind, "gz", "new") for path, kind in reversed(KINDS.items())}
    kinds = [{step.file.kind for step in stage if isinstance(step, Upload)} for stage in stages(here, {})]
    assert kinds == [
        {"media", "site"},
        {"article"},
        {"archive"},
        {"listing"},
        {"feed"},
        {"start", "outline"},
        {"routes"},
        {"serving"},
    ]


def test_what_is_new_goes_before_what_has_changed_and_deletions_go_last() -> None:
    there = {path: File(kind, "gz", "old") for path, kind in KINDS.items() if path != "sections/n/feed.rss"}
    here = {path: File(kind, "gz", "new") for path, kind in KINDS.items() if "/a/" not in path}
    steps = [step for stage in stages(here, there) for step in stage]
    assert steps[0].path == "sections/n/feed.rss"
    assert steps[-1] == Delete("articles/a/index.html", ("articles/a/index.html.gz", "articles/a/index.html"))
    assert all(isinstance(step, Upload) for step in steps[:-1])


def test_what_is_touched_is_not_known_to_be_there_until_it_is_done() -> None:
    kept, gone = File("feed", "gz br", "same"), File("article", "gz", "old")
    there = {"feed.rss": kept, "articles/a/index.html": gone, "index.html": File("start", "gz", "old")}
    here = {"feed.rss": kept, "index.html": File("start", "", "new")}
    known = claimed(there, stages(here, there))
    assert known == {
        "feed.rss": kept,
        "articles/a/index.html": gone._replace(fingerprint=None),
        "index.html": File("start", "gz", None),
    }
