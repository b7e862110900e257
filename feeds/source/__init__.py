"""The only reader of author files: bytes of a file -> Article, or its problems."""

from feeds.source.article import Reading, read_article
from feeds.source.folder import article_files

__all__ = ["Reading", "article_files", "read_article"]
