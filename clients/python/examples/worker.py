#!/usr/bin/env python3
"""A worker that takes jobs from a directory, embeds and stores their images, and retries failed items.

A job is a file `QUEUE/NAME.json`. Write it with another file extension and rename it when it is complete:

    {"job_id": "job-1", "media_store_id": "media-1", "image": "photo.jpg", "photo": "photo.jpg"}

or, if the faces have been found already, with their crops:

    {"job_id": "job-1", "media_store_id": "media-1", "image": "photo.jpg",
     "faces": [{"path": "crop.png", "face_index": 0, "bbox": {"x": 1, "y": 2, "width": 80, "height": 90}, "confidence": 0.98}]}

Paths are relative to QUEUE. `image` is embedded as a whole, and the server finds the faces in `photo`. Everything but the job's
id is optional. A worker takes a job by renaming it to `.taken`, so several
workers can share a queue. When the job ends, it is renamed to `.done`, or to `.failed` with the errors in the file. Items
can safely be sent again, because point ids are derived from `job_id` and `face_index`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from embeddings_client import EmbeddingsError, FaceItem, ImageItem, Ingest, PhotoItem

Item = Union[ImageItem, FaceItem, PhotoItem]


def take(queue: Path) -> Optional[Path]:
    """Takes the first job by name and returns its path, or None if there is no job."""
    for job in sorted(queue.glob("*.json"), key=lambda path: path.name):
        taken = job.with_suffix(".taken")
        try:
            job.rename(taken)
            return taken
        except FileNotFoundError:
            continue  # Another worker has taken it.
    return None


def items_of(queue: Path, job: Dict[str, Any]) -> List[Item]:
    """Reads the images of a job."""
    media = job.get("media_store_id", "")
    items: List[Item] = []
    if "image" in job:
        items.append(ImageItem(job["job_id"], (queue / job["image"]).read_bytes(), media, job.get("attributes")))
    if "photo" in job:
        items.append(PhotoItem(job["job_id"], (queue / job["photo"]).read_bytes(), media, job.get("attributes")))
    for index, face in enumerate(job.get("faces", [])):
        extra = {name: face.get(name) for name in ("bbox", "confidence", "landmarks", "attributes")}
        image = (queue / face["path"]).read_bytes()
        items.append(FaceItem(job["job_id"], face.get("face_index", index), image, media, **extra, aligned=face.get("aligned", False)))
    return items


def send(ingest: Ingest, items: List[Item], attempts: int) -> Dict[str, EmbeddingsError]:
    """Ingests the items, with retries, and returns the errors of the items that failed permanently, by label."""
    failed: Dict[str, EmbeddingsError] = {}
    waiting = items
    for attempt in range(1, attempts + 1):
        again: List[Item] = []
        pause = min(0.2 * 2**attempt, 10.0)
        answered = 0
        try:
            for item, result in zip(waiting, ingest.stream(waiting)):
                answered += 1
                if result.error is None:
                    continue
                if result.error.retryable and attempt < attempts:
                    again.append(item)
                    pause = max(pause, result.error.retry_after or 0)
                else:
                    failed[result.label] = result.error
        except EmbeddingsError as error:
            # The stream failed. Answered items are durable; the others are sent again.
            if error.retryable and attempt < attempts:
                again.extend(waiting[answered:])
                pause = max(pause, error.retry_after or 0)
            else:
                failed.update({item.label: error for item in waiting[answered:]})
        if not again:
            return failed
        print(f"  {len(again)} of {len(items)} items will be retried in {pause:.1f} s", file=sys.stderr)
        time.sleep(pause)
        waiting = again
    return failed


def work(queue: Path, taken: Path, ingest: Ingest, attempts: int) -> bool:
    """Processes one job and returns whether all its items are stored."""
    try:
        job = json.loads(taken.read_text(encoding="utf-8"))
        items = items_of(queue, job)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        taken.with_suffix(".failed").write_text(json.dumps({"error": f"{type(error).__name__}: {error}"}), encoding="utf-8")
        taken.unlink()
        print(f"{taken.stem}: the job file is invalid: {error}", file=sys.stderr)
        return False
    failed = send(ingest, items, attempts)
    if failed:
        errors = [
            {"item": label, "reason": error.reason or error.code.name, "field": error.field, "message": error.message}
            for label, error in failed.items()
        ]
        taken.with_suffix(".failed").write_text(json.dumps({**job, "errors": errors}, indent=2), encoding="utf-8")
        taken.unlink()
    else:
        taken.rename(taken.with_suffix(".done"))
    print(f"{taken.stem}: {len(items) - len(failed)} stored, {len(failed)} failed")
    return not failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Embeds and stores the images of the jobs in a directory.")
    parser.add_argument("queue", type=Path)
    parser.add_argument("--url", help="URL of the server (default: $EMBEDDINGS_URL or http://localhost:50051)")
    parser.add_argument("--attempts", type=int, default=5, help="maximum number of attempts per item (default: 5)")
    parser.add_argument("--once", action="store_true", help="exit when the queue is empty; the exit code is 1 if a job failed")
    options = parser.parse_args()
    complete = True
    with Ingest(options.url) as ingest:
        while True:
            taken = take(options.queue)
            if taken is not None:
                complete = work(options.queue, taken, ingest, options.attempts) and complete
            elif options.once:
                return 0 if complete else 1
            else:
                time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
