"""A small program with types. The interop run checks it with `mypy --strict` and runs it with nothing but the wheel and its two
dependencies installed.

Usage: program.py URL JPEG
"""

import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from embeddings_client import (
    EmbeddingsError,
    FaceEmbeddingInference,
    FaceOptions,
    Faces,
    ImageEmbeddingInference,
    ImageItem,
    Ingest,
    InvalidInput,
    Persons,
    PhotoItem,
    PhotoResult,
    QdrantImageStore,
    Vector,
)

COLLECTION, FACES, JOB = "interop_program", "interop_program_faces", "job-program"


def ids(points: List[Dict[str, object]]) -> List[object]:
    return [point["id"] for point in points]


def main(url: str, jpeg: Path) -> None:
    with ImageEmbeddingInference(url=url) as inference:
        vector: Vector = inference.infer(jpeg, label="sample")
        assert len(vector) == 512
        outcomes = dict(inference.infer_stream([("bytes", jpeg.read_bytes()), ("missing", "missing.jpg")]))
        assert not isinstance(outcomes["bytes"], EmbeddingsError) and list(outcomes["bytes"]) == list(vector)
        assert isinstance(outcomes["missing"], InvalidInput)

    with FaceEmbeddingInference(url=url) as faces:
        landmarks = [(38.0, 52.0), (74.0, 52.0), (56.0, 72.0), (42.0, 92.0), (71.0, 92.0)]
        batch: Dict[str, Optional[Vector]] = faces.infer_batch({"face": {"image": jpeg, "landmarks": landmarks}})
        aligned = batch["face"]
        assert aligned is not None and abs(sum(value * value for value in aligned) - 1) < 1e-5
        assert list(faces.infer(jpeg, landmarks=landmarks)) == list(aligned)

    def points() -> Iterator[Tuple[str, List[float], Dict[str, object]]]:
        for number in range(20):
            values = [0.0] * 512
            values[number] = 1.0
            yield f"{JOB}-{number}", values, {"job_id": JOB, "number": number}

    with QdrantImageStore(url, COLLECTION) as store:
        store.delete(filter={"job_id": JOB})
        added: int = store.add_vectors(points())
        assert added == 20 and store.count() == 20 and store.count({"number": {"lt": 5}}) == 5
        found = store.search([1.0] * 512, limit=3, filter={"job_id": JOB, "number": 7})
        assert ids(found) == [f"{JOB}-7"]
        assert ids(list(store.list({"number": {"gte": 18}}, with_vectors=True))) == [f"{JOB}-18", f"{JOB}-19"]
        point = store.get_vector(f"{JOB}-3")
        assert point is not None and point["vector"][3] == 1.0 and point["number"] == 3
        assert store.delete([f"{JOB}-0", f"{JOB}-1"]) == 2 and store.delete(filter={"job_id": JOB}) == 18

    with Ingest(url) as ingest:
        for result in ingest.stream([ImageItem(JOB, jpeg, attributes={"source": "program"})], collection=COLLECTION):
            assert result.error is None and result.point_id == JOB
        photo: PhotoResult = ingest.ingest_photo(PhotoItem(JOB, jpeg.parent / "two-faces.jpg"), collection=FACES, return_embedding=True)
        assert [face.point_id for face in photo.faces] == [f"{JOB}-0", f"{JOB}-1"]
        stored: Optional[Vector] = photo.faces[0].face.embedding
        assert stored is not None and len(stored) == 512

    with Faces(url) as faces_of, Persons(url, FACES) as persons:
        left, right = faces_of.detect_faces(jpeg.parent / "two-faces.jpg", FaceOptions(max_faces=2)).faces
        assert left.bbox["x"] < right.bbox["x"] and left.quality["overall"] > 0
        change = persons.name(f"{JOB}-0", "Ada")
        assert {person.name: person.face_count for person in persons.list()} == {"Ada": 1}
        assert persons.undo(change).restored == 1
    print("ok program")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
