"""Metadata in plain YAML are read without a parser, and mean what they mean to one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from feeds.located import Quoted, _YamlReader, plain_mapping, read_yaml

keys = st.sampled_from(["title", "date", "tags", "image", "a-b", "x_1", "<<", "1", "é", "no"])
scraps = st.sampled_from(
    [*"aЖé1 :#,[]{}\"'\\-?&*!|>%@`~\t\u00a0\u2028\x85=", "  ", ": ", " #", "- ", "null", "---", "<<"]
)
words = st.lists(scraps, max_size=5).map("".join)
plain = st.sampled_from(
    ["word", "two words", "2026-05-12 13:20", "http://x.example/a", "a, b", "don't", "a:b"]
)
item = plain | st.just('"quo: ted"') | words
value = (
    plain
    | words
    | words.map(lambda text: f'"{text}"')
    | st.lists(item, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.lists(st.tuples(keys, item), max_size=3).map(
        lambda pairs: "{" + ", ".join(f"{key}: {one}" for key, one in pairs) + "}"
    )
)
line = st.builds(
    lambda indent, key, one: f"{indent}{key}: {one}", st.sampled_from(["", "", "", "  ", "   "]), keys, value
)
blocks = st.lists(line | keys.map(lambda key: f"{key}:") | words, max_size=5).map("\n".join)


def as_typed(value: object) -> object:
    """`value` with what was in quotes told apart."""
    if isinstance(value, dict):
        return {key: as_typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_typed(one) for one in value]
    return (type(value), value)


@given(blocks)
@example('title: A\nimage:\n  url: /a.jpg\n  alt: "B"\ntags: [c, d e]\n')
@example('image: {url: "/a.jpg", alt: A view}\n')
@example("a:\n  b:\n  c: d\n")
@example("a: [x]\n  b: c\n")
def test_plain_metadata_mean_what_they_mean_to_a_parser(text: str) -> None:
    values = plain_mapping(text)
    if values is not None:
        slowly = _YamlReader(text).read()
        assert as_typed(values) == as_typed(slowly.values)
        assert slowly.warnings == []


def test_most_metadata_are_plain() -> None:
    text = 'title: "A: b"\ndate: 2026-05-12 13:20\ntags: [a, "b c"]\nimage:\n  url: /a.jpg\n  alt: Ж\n'
    assert plain_mapping(text) == {
        "title": "A: b",
        "date": "2026-05-12 13:20",
        "tags": ["a", "b c"],
        "image": {"url": "/a.jpg", "alt": "Ж"},
    }
    assert isinstance(read_yaml(text).values["title"], Quoted)
    assert read_yaml(text).position(("image", "alt")).line == 6
