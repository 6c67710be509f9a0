#!/usr/bin/env python3
"""A worker that takes jobs from a directory, embeds and stores them, and retries what failed.

A job is a file `QUEUE/NAME.json`, written under another ending and renamed when it is complete:

    {"job_id": "job-1", "media_store_id": "media-1", "image": "photo.jpg",
     "faces": [{"path": "crop.png", "face_index": 0, "bbox": {"x": 1, "y": 2, "width": 80, "height": 90}, "confidence": 0.98}]}

Paths are relative to QUEUE; `image` and `faces` may each be left out. A job is taken by renaming it to `.taken`, so several workers may share a
queue. It ends as `.done`, or as `.failed` with the errors in it. Items are safe to send again: point ids are made of `job_id` and `face_index`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from embeddings_client import EmbeddingsError, FaceItem, ImageItem, Ingest

Item = Union[ImageItem, FaceItem]


def take(queue: Path) -> Optional[Path]:
    """The oldest job, now this worker's; None where there is none."""
    for job in sorted(queue.glob("*.json"), key=lambda path: path.name):
        taken = job.with_suffix(".taken")
        try:
            job.rename(taken)
            return taken
        except FileNotFoundError:
            continue  # Another worker was faster.
    return None


def items_of(queue: Path, job: Dict[str, Any]) -> List[Item]:
    """The job's pictures."""
    media = job.get("media_store_id", "")
    items: List[Item] = []
    if "image" in job:
        items.append(ImageItem(job["job_id"], (queue / job["image"]).read_bytes(), media, job.get("attributes")))
    for index, face in enumerate(job.get("faces", [])):
        extra = {name: face.get(name) for name in ("bbox", "confidence", "landmarks", "attributes")}
        items.append(FaceItem(job["job_id"], face.get("face_index", index), (queue / face["path"]).read_bytes(), media, **extra))
    return items


def send(ingest: Ingest, items: List[Item], attempts: int) -> Dict[str, EmbeddingsError]:
    """Ingests the items, some of them several times; what failed for good, by its label."""
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
            # The stream broke; what was answered is durable, the rest goes again.
            if error.retryable and attempt < attempts:
                again.extend(waiting[answered:])
                pause = max(pause, error.retry_after or 0)
            else:
                failed.update({item.label: error for item in waiting[answered:]})
        if not again:
            return failed
        print(f"  {len(again)} of {len(items)} to be tried again in {pause:.1f} s", file=sys.stderr)
        time.sleep(pause)
        waiting = again
    return failed


def work(queue: Path, taken: Path, ingest: Ingest, attempts: int) -> bool:
    """Does one job; whether all of it is stored."""
    try:
        job = json.loads(taken.read_text(encoding="utf-8"))
        items = items_of(queue, job)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        taken.with_suffix(".failed").write_text(json.dumps({"error": f"{type(error).__name__}: {error}"}), encoding="utf-8")
        taken.unlink()
        print(f"{taken.stem}: not a job: {error}", file=sys.stderr)
        return False
    failed = send(ingest, items, attempts)
    if failed:
        errors = [{"item": label, "reason": error.reason or error.code.name, "field": error.field, "message": error.message} for label, error in failed.items()]
        taken.with_suffix(".failed").write_text(json.dumps({**job, "errors": errors}, indent=2), encoding="utf-8")
        taken.unlink()
    else:
        taken.rename(taken.with_suffix(".done"))
    print(f"{taken.stem}: {len(items) - len(failed)} stored, {len(failed)} failed")
    return not failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Embeds and stores the jobs of a directory.")
    parser.add_argument("queue", type=Path)
    parser.add_argument("--url", help="the server (default: $EMBEDDINGS_URL, or http://localhost:50051)")
    parser.add_argument("--attempts", type=int, default=5, help="how often an item is sent before it has failed (default: 5)")
    parser.add_argument("--once", action="store_true", help="end when the queue is empty; the exit code is 1 where a job failed")
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
