import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from embeddings_client import QdrantFaceStore, QdrantImageStore

from .server import needs_server, unique

HERE = Path(__file__).resolve().parent
TESTDATA = HERE.parent.parent / "testdata"


@needs_server
class WorkerTests(unittest.TestCase):
    def test_the_worker_empties_its_queue(self) -> None:
        job = unique("job")
        with tempfile.TemporaryDirectory() as folder, QdrantFaceStore() as faces, QdrantImageStore() as images:
            queue = Path(folder)
            (queue / "photo.jpg").write_bytes((TESTDATA / "sample.jpg").read_bytes())
            (queue / "people.jpg").write_bytes((TESTDATA / "two-faces.jpg").read_bytes())
            (queue / "broken.jpg").write_bytes(b"not an image")
            (queue / "a.json").write_text(json.dumps({"job_id": job, "media_store_id": "m", "image": "photo.jpg", "faces": [{"path": "photo.jpg", "confidence": 0.5, "aligned": True}]}))
            (queue / "b.json").write_text(json.dumps({"job_id": job, "faces": [{"path": "broken.jpg", "face_index": 1}, {"path": "photo.jpg", "face_index": 2, "aligned": True}]}))
            (queue / "c.json").write_text("{")
            (queue / "d.json").write_text(json.dumps({"job_id": f"{job}-photo", "photo": "people.jpg"}))
            done = subprocess.run(
                [sys.executable, str(HERE.parent / "examples" / "worker.py"), folder, "--once"], cwd=HERE.parent, timeout=60, capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            )
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertTrue((queue / "a.done").exists())
            failed = json.loads((queue / "b.failed").read_text())
            self.assertEqual([(error["item"], error["reason"]) for error in failed["errors"]], [(f"{job}-1", "IMAGE_FORMAT_UNKNOWN")])
            self.assertTrue((queue / "c.failed").exists())
            self.assertTrue((queue / "d.done").exists())
            self.assertEqual((faces.delete_by_job_id(job), faces.delete_by_job_id(f"{job}-photo")), (2, 2))
            self.assertTrue(images.delete_vector(job))
