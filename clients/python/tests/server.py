"""Tests against a server run where `EMBEDDINGS_URL` names one, and are skipped elsewhere."""

import os
import unittest
import uuid

needs_server = unittest.skipUnless(os.environ.get("EMBEDDINGS_URL"), "EMBEDDINGS_URL names no server")


def unique(prefix: str) -> str:
    """A name no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
