"""Rules for files as such: their names, bytes and characters."""

from __future__ import annotations

from feeds.rules.rule import Rule

RULES = (
    Rule(
        "file-name",
        "error",
        "the name of this file is not UTF-8",
        "rename the file, best with plain letters, digits and hyphens",
        "The address of an article comes from the name of its file, and every feed is UTF-8. A name in an "
        "older encoding could stand in neither.",
        "RFC 3629; RFC 3986, 2.5",
    ),
    Rule(
        "file-empty",
        "error",
        "the file is empty",
        "begin it with its metadata: {begin}",
        "Nothing is in the file, not even a title. Sometimes an editor leaves that behind when a disk is "
        "full.",
        "RFC 4287, 4.1.2: an entry has a title and a date",
        place="empty.md",
        good="---\ntitle: The harbour reopens\npublished: 2026-05-12 13:20\n---\n",
    ),
    Rule(
        "file-too-large",
        "error",
        "the file has over {limit:,} bytes",
        "split the article into several; put pictures into media/ and not into the text",
        "Every reader downloads the whole feed with all its articles. One that large would keep it from "
        "many of them.",
        "CommaFeed takes at most 5 MB a feed, Feedbin 10 MiB, Miniflux 15 MiB",
    ),
    Rule(
        "file-utf-16",
        "error",
        "the file is saved as UTF-16",
        "save it as UTF-8: most editors offer the encoding under Save as",
        "Feeds are UTF-8, and so are the files that they are made from: one encoding, and no guesses.",
        "RFC 3629; RFC 8259, 8.1",
    ),
    Rule(
        "file-encoding",
        "error",
        "the byte 0x{byte:02X} is not UTF-8",
        "save the file as UTF-8: most editors offer the encoding under Save as",
        "The file was saved in an older encoding, or damaged. Which letter the byte means could only be "
        "guessed, and a wrong guess would put garbled names into every reader.",
        "RFC 3629, 4; XML 1.0, 4.3.3",
    ),
    Rule(
        "file-binary",
        "error",
        "the file is binary or damaged",
        "restore it from a backup; pictures belong into media/",
        "This is not text: a picture with a wrong name, or what a power cut left of an article.",
        "XML 1.0, 2.2",
    ),
    Rule(
        "file-unreadable",
        "error",
        "the file cannot be read: {reason}",
        "give the user that feedwright runs as the right to read it",
        "The system refuses to open the file. What was published of it before stays published.",
        "POSIX, open()",
    ),
    Rule(
        "folder-unreadable",
        "error",
        "this folder cannot be read; what was known of its files stays published",
        "give the user that feedwright runs as the right to read it",
        "A folder that cannot be looked into looks like one whose articles were all deleted. They are not "
        "taken for deleted.",
        "POSIX, opendir()",
    ),
    Rule(
        "file-too-complex",
        "error",
        "reading this file took more time or memory than one article may ({cause})",
        "simplify the text: brackets, tables or footnotes that nest or repeat without end",
        "Some texts keep a program busy for ever, by accident or on purpose. The article is given up, so "
        "that the others are published.",
        "CommonMark 0.31, appendix: a parsing strategy; cmark's tests of pathological input",
    ),
    Rule(
        "program-fault",
        "error",
        "{error} in {file}:{line}: {message}",
        "this is a fault of the program: please report it with the file",
        "You did nothing wrong. The other articles are published all the same.",
        "this program",
    ),
    Rule(
        "link-ignored",
        "warning",
        "this symbolic link {leads}; links are not followed",
        "put the file itself here",
        "What a link leads to may lie outside of the content folder, and nobody would expect it to be "
        "published.",
        "CWE-59: following links",
    ),
    Rule(
        "character-replaced",
        "warning",
        "{what} may stand in no feed and became U+FFFD (�)",
        "delete it: it came in by copying, and most editors do not show it",
        "XML, which RSS and Atom are made of, forbids most control characters. One of them makes readers "
        "refuse the whole feed, with all its articles.",
        "XML 1.0, 2.2; newsboat (issue 2328) refuses the feed",
        bad='title: "The harbour\\u0001 reopens"',
        good='title: "The harbour reopens"',
    ),
    Rule(
        "direction-override",
        "warning",
        "{character} turns the text after it around",
        "delete the character",
        "It makes readers show what follows backwards: `exe.doc` looks like `cod.exe`. Readers put the "
        "titles of many publications on one page, and it reaches into the next.",
        "Unicode Standard Annex 9, 2.2; Unicode Technical Report 36, 2.5",
        bad="The file is called &#8238;gpj.exe.",
        good="The file is called gpj.exe.",
        place="text",
    ),
    Rule(
        "direction-open",
        "warning",
        "{character} changes the direction and is not closed in its paragraph",
        "delete it, or close it with {close}",
        "Text that runs from right to left is begun with one invisible character and ended with another. "
        "Left open, it goes on into whatever a reader shows next.",
        "Unicode Standard Annex 9, 2.1 to 2.4",
        bad="He said \u2067שלום and left.",
        good="He said \u2067שלום\u2069 and left.",
        place="text",
    ),
)
