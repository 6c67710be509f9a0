"""Support for tests against a server. They are skipped unless `EMBEDDINGS_URL` is set."""

import os
import unittest
import uuid

needs_server = unittest.skipUnless(os.environ.get("EMBEDDINGS_URL"), "EMBEDDINGS_URL is not set")


def unique(prefix: str) -> str:
    """Returns a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
