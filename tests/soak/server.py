"""`serve` whose builder is that of the soak: `FOLDER PORT`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from feeds import log
from feeds.serve import serve
from feeds.status import Status, write_status

if __name__ == "__main__":
    log.configure("text")
    write_status(Path(sys.argv[1]) / "public", Status(ready=False, builder=os.getpid()))
    builder = [sys.executable, "-m", "tests.soak.builder", sys.argv[1]]
    sys.exit(serve(Path(sys.argv[1]) / "public", "127.0.0.1", int(sys.argv[2]), 2, builder))
