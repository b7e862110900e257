"""Fuzzes one target in this process, or runs it on the files named.

    python -m fuzz.run TARGET [FILE …] [-option=value …]

The options are those of libFuzzer.
"""

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["feeds", "dateutil", "tomllib"]):
    from fuzz.targets import TARGETS

target, *arguments = sys.argv[1:]
atheris.Setup([sys.argv[0], *arguments], TARGETS[target].run)
atheris.Fuzz()
