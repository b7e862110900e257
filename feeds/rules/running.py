"""Rules for what goes wrong while the program runs: clocks, disks, and files that vanish."""

from __future__ import annotations

from feeds.rules.rule import Rule

RULES = (
    Rule(
        "mass-removal",
        "error",
        "{number} articles are gone at once; they stay published until {until}",
        "bring their files back, or accept it with: feedwright confirm",
        "More than half of the articles vanished at a stroke, as when a disk is not mounted. Readers that "
        "see an empty feed mark everything as gone, so it waits for a person's word.",
        "this program: no reader ever gets an empty feed in place of a full one",
    ),
    Rule(
        "clock-wrong",
        "warning",
        "the clock of this machine says that it is {year}",
        "set the clock: until then no article becomes public",
        "Articles become public when their time comes, by this clock.",
        "this program: nothing is public before it is due",
    ),
    Rule(
        "cannot-publish",
        "error",
        "nothing new can be published: {reason} ({free:,} MiB are free)",
        "make room on the disk or give the right to write; it is tried again every {seconds} s",
        "The files that readers fetch cannot be written. What was published before stays.",
        "POSIX, write(), rename()",
    ),
    Rule(
        "ledger-unwritable",
        "error",
        "the ledger cannot be written: {reason}",
        "give the user that feedwright runs as the right to write it",
        "`ledger.jsonl` remembers removals and the ids of renamed files. Without it readers would show "
        "renamed articles again as new ones.",
        "POSIX, write()",
    ),
    Rule(
        "ledger-newer",
        "error",
        "the ledger has format {found}, and this program knows {known}",
        "install the newer version that wrote it",
        "A newer version of this program wrote down what this one cannot read. Going on would forget it.",
        "this program: the ledger is not disposable",
    ),
)
