"""The documents that are still to be made, in their order; the index notes them for the next process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

from feeds.documents import Document
from feeds.index import Index


class Todo:
    """Costs what changes in it, however long it is."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._documents: OrderedDict[Document, None] = OrderedDict()
        self._new: dict[Document, None] = {}
        self._done: dict[Document, None] = {}

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, document: Document) -> bool:
        return document in self._documents

    def first(self, most: int | None = None) -> list[Document]:
        """So many, or all."""
        return list(islice(self._documents, most))

    def put_first(self, documents: Iterable[Document]) -> None:
        """Before all that is there."""
        for document in reversed(list(documents)):
            if document not in self._documents:
                self._new[document] = None
                self._documents[document] = None
            self._documents.move_to_end(document, last=False)

    def replace(self, documents: Iterable[Document]) -> None:
        """Forgets what is there."""
        for document in list(self._documents):
            self.done(document)
        self.put_first(documents)

    def done(self, document: Document) -> None:
        """It is made, if it was to be made at all."""
        if document in self._documents:
            del self._documents[document]
            self._new.pop(document, None)
            self._done[document] = None

    def save(self) -> None:
        """Has the index note it."""
        self._index.done(document.owner for document in self._done)
        self._index.to_do(document.owner for document in self._new)
        self._done.clear()
        self._new.clear()
