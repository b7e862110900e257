"""The WSGI application for any server, and `python server.py` to build, watch and serve `content/`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    from feeds.cli import main

    os.environ.setdefault("FEEDWRIGHT_CONTENT", str(HERE / "content"))
    sys.argv.insert(1, "serve")
    main()
elif __name__ != "__mp_main__":  # a web worker, spawned by the line above, has its own
    from feeds.web import create_app

    app = create_app(Path(os.environ.get("FEEDWRIGHT_OUTPUT", HERE / "public")))
