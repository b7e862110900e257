"""The Flask application: health, readiness, and the answer where nothing is published."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from feeds.handover import JsonFile
from feeds.published import RETRY_AFTER, PublishedFiles, error_page
from feeds.status import Status, index_folder

Answer = tuple[dict[str, int | bool], int, dict[str, str]]

_HEADERS = {"Cache-Control": "max-age=0", "X-Content-Type-Options": "nosniff"}


def create_app(output: Path) -> Flask:
    """The WSGI application for what a builder publishes in the folder `output`, which need not exist yet.

    `PublishedFiles` answers first: Flask sees only what is not published.
    """
    app = Flask("feeds", static_folder=None, template_folder=None)
    published = PublishedFiles(output, app.wsgi_app)
    app.wsgi_app = published  # type: ignore[method-assign]
    status_file: JsonFile[Status | None] = JsonFile(
        index_folder(output) / "status.json", lambda data: Status(**data), None
    )

    @app.get("/health")
    def health() -> Answer:
        status = status_file.read() or Status(ready=False, builder=0)
        return (
            {"articles": status.articles, "feeds": status.feeds, "problems": len(status.problems)},
            200,
            _HEADERS,
        )

    @app.get("/ready")
    def ready() -> Answer:
        status = status_file.read()
        if status.ready if status else published.serving.read():  # a copy of a published folder has no status
            return {"ready": True}, 200, _HEADERS
        return {"ready": False}, 503, {**_HEADERS, "Retry-After": str(RETRY_AFTER)}

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> Response:
        serving, status = published.serving.read(), status_file.read()
        may_be_built_yet = serving is None or (status is not None and not status.ready)
        code = 503 if error.code == 404 and may_be_built_yet else error.code or 500
        headers, page = error_page(code, serving)
        response = Response(page, code, headers)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    return app
