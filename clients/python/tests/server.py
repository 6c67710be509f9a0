"""Support for tests against a server, which are skipped unless `EMBEDDINGS_URL` is set, and for scripted servers."""

import os
import unittest
import uuid
from typing import Any, Iterable, Iterator

needs_server = unittest.skipUnless(os.environ.get("EMBEDDINGS_URL"), "EMBEDDINGS_URL is not set")


def unique(prefix: str) -> str:
    """Returns a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def items_of(messages: Iterable[Any]) -> Iterator[Any]:
    """Yields the items of the messages of a stream, which have one item or several."""
    for message in messages:
        yield from message.items or [message]
