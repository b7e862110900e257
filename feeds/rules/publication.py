"""Rules for the publication as a whole, and for its finished feeds."""

from __future__ import annotations

from feeds.rules.rule import Rule

RULES = (
    Rule(
        "id-absent",
        "warning",
        "ids of articles follow the host of url, so a move to another would change them",
        'write id = "{host},{year}"',
        "By its id a reader knows whether it has shown an article before. If the ids change, everybody gets "
        "all articles again as new ones.",
        "RFC 4151; RFC 4287, 4.2.6: an id never changes",
        bad='title = "The Example Times"\ndescription = "News"\nurl = "https://example.org/"',
        good='title = "The Example Times"\ndescription = "News"\nurl = "https://example.org/"\n'
        'id = "example.org,2026"',
        place="publication.toml",
    ),
    Rule(
        "url-local",
        "warning",
        "only this machine can follow links to {host}",
        "write the public address before going online",
        "Every link in a feed begins with url. Readers on other machines would look for your articles on "
        "their own.",
        "RFC 6761, 6.3; FreshRSS subscribes to the address in rel=self (feedController.php)",
        bad='url = "http://localhost:8000/"',
        good='url = "https://example.org/"',
        place="publication.toml",
    ),
    Rule(
        "url-insecure",
        "warning",
        "url begins with http://, so everybody on the way can read and change what you publish",
        "get a certificate for the host, and write https://",
        "Readers in a browser are https pages and do not load http pictures. Moving later works, with "
        "redirects that have to stay for years.",
        "RFC 9110, 4.2.2; Mixed Content (W3C)",
        bad='url = "http://example.org/"',
        good='url = "https://example.org/"',
        place="publication.toml",
    ),
    Rule(
        "icon-missing",
        "warning",
        "the publication has no icon",
        'put a square picture into media/ and write icon = "/media/icon.png"',
        "Readers show it beside every article, and people find your publication by it. Without one they "
        "show a letter, or nothing.",
        "RFC 4287, 4.2.5; JSON Feed 1.1, icon; NetNewsWire, Feedbin and Miniflux take it from the feed",
    ),
    Rule(
        "icon-shape",
        "warning",
        "{key} is {width} by {height} pixels",
        "make it {wanted}",
        "Readers keep a square for the icon and a box twice as wide as high for the logo. Another shape is "
        "cut off or squeezed.",
        "RFC 4287, 4.2.5 and 4.2.8",
    ),
    Rule(
        "picture-missing",
        "warning",
        "{key}: there is no file {path}",
        "put it there, or correct the address",
        "Readers ask for the picture again and again, and show a gap.",
        "this program: /media/ is the folder media/ beside publication.toml",
    ),
    Rule(
        "feed-empty",
        "warning",
        "no article is due, so every feed is empty",
        "write one whose published is past and whose expires is not",
        "It is valid, but people who subscribe see nothing and take it for broken.",
        "RFC 4287, 4.1.1: a feed may have no entry",
    ),
    Rule(
        "feed-large",
        "warning",
        "{document} has {size:,} bytes; the largest article in it is {largest}",
        "write smaller limit and archive_size in [feeds], or shorten the article",
        "Every reader downloads it whenever something changes. Many give up on large feeds.",
        "CommaFeed takes 5 MB at most, FreshRSS 3 MB by push, SmartNews 1 MB",
    ),
    Rule(
        "spelling-differs",
        "warning",
        "the {kind} {value!r} is written {usual!r} elsewhere; both are one feed",
        "write {usual}",
        "Spellings that differ in capitals, accents or punctuation have the same address. The feed shows "
        "the one used most.",
        "RFC 4287, 4.2.2.3: a label is for people",
    ),
)
