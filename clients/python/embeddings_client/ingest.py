"""Embed and store in one step: the bulk way, in one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from .connection import Connected, Connection
from .errors import EmbeddingsError, from_item
from .payloads import to_float, to_index, to_struct
from .pictures import Picture, to_bbox, to_face, to_image
from .streams import exchange
from .stubs.embeddings.v1 import ingest_service_pb2 as ingest_pb2, ingest_service_pb2_grpc


@dataclass(frozen=True)
class ImageItem:
    """A whole image; stored under the id `job_id`."""

    job_id: str
    image: Picture
    media_store_id: str = ""
    attributes: Optional[Mapping[str, Any]] = None

    @property
    def label(self) -> str:
        return self.job_id


@dataclass(frozen=True)
class FaceItem:
    """A face; stored under the id `job_id-face_index`.

    `bbox` is a dict of x, y, width and height, or four numbers, pixels of the source picture. `landmarks` are five points in the crop's pixels (dict by
    name, or 5x2); with them the server aligns the crop, without them it takes the crop as aligned. `confidence` is the detector's, 0 to 1.
    """

    job_id: str
    face_index: int
    image: Picture
    media_store_id: str = ""
    bbox: Union[Mapping[str, Any], Sequence[float], None] = None
    confidence: Optional[float] = None
    landmarks: Any = None
    attributes: Optional[Mapping[str, Any]] = None

    @property
    def label(self) -> str:
        return f"{self.job_id}-{self.face_index}"


@dataclass(frozen=True)
class IngestResult:
    """What became of one item: stored, durably, or why not."""

    label: str
    point_id: str = ""
    collection: str = ""
    embedding: Optional[NDArray[np.float32]] = None
    error: Optional[EmbeddingsError] = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Ingest(Connected):
    """Streams items into the server. Safe to use from many threads.

    Args:
        url: The server, see `Connection`.
        connection: A connection to share instead of `url`.
        timeout: Seconds, see `Connection`.
    """

    def __init__(self, url: Optional[str] = None, *, connection: Optional[Connection] = None, timeout: float = 30.0) -> None:
        super().__init__(url, connection, timeout)
        self._stub = ingest_service_pb2_grpc.IngestServiceStub(self._connection.channel)

    def stream(
        self, items: Iterable[Union[ImageItem, FaceItem]], *, model: str = "", collection: str = "", return_embedding: bool = False
    ) -> Iterator[IngestResult]:
        """Ingests a stream of any length and yields one result for each item, in their order.

        `items` is read only as fast as the server takes it. Point ids are made of the items, so sending one again replaces its point and adds none.

        Raises:
            EmbeddingsError: where the stream as a whole fails; items without a result may be sent again.
        """
        refused: Dict[int, IngestResult] = {}
        labels: Dict[int, str] = {}

        def requests() -> Iterator[ingest_pb2.StreamIngestRequest]:
            for position, item in enumerate(items):
                try:
                    request = _request(item)
                except EmbeddingsError as error:
                    refused[position] = IngestResult(item.label, error=error)
                    continue
                request.item_id, request.model, request.collection, request.return_embedding = str(position), model, collection, return_embedding
                labels[position] = item.label
                yield request

        position = 0
        for answer in exchange(self._stub.StreamIngest, requests(), self._connection.timeout):
            # Items refused here never went out; they keep their place.
            while position in refused:
                yield refused.pop(position)
                position += 1
            yield _result(labels.pop(position), answer)
            position += 1
        while position in refused:
            yield refused.pop(position)
            position += 1


def process_image_embedding(
    job_id: str,
    image_buffer: Picture,
    media_store_id: str = "",
    *,
    attributes: Optional[Mapping[str, Any]] = None,
    url: Optional[str] = None,
    ingest: Optional[Ingest] = None,
) -> IngestResult:
    """A worker's step for a whole image: embeds it and stores the vector under `job_id`.

    Args:
        job_id: The job, 1 to 512 bytes.
        image_buffer: See `ImageEmbeddingInference.infer`.
        media_store_id: The media item.
        attributes: The user's own fields, stored with it.
        url: The server; or
        ingest: an `Ingest` to use, which saves a connection for each call.

    Returns:
        Its result, with the vector: float32 of shape (512,) by default. `error` is set where the item failed.
    """
    items = [ImageItem(job_id, image_buffer, media_store_id, attributes)]
    return _run(items, url, ingest)[0]


def process_face_embedding(
    job_id: str,
    face_crops: Sequence[Union[Picture, Mapping[str, Any]]],
    media_store_id: str = "",
    *,
    url: Optional[str] = None,
    ingest: Optional[Ingest] = None,
) -> List[IngestResult]:
    """A worker's step for the faces of one image: embeds them all in one stream and stores each under `job_id-face_index`.

    Args:
        job_id: The job, 1 to 512 bytes.
        face_crops: Pictures, or dicts ``{"image", "face_index", "bbox", "confidence", "landmarks", "attributes"}`` of which only `image` is required;
            `face_index` is the place in this list where it is not given.
        media_store_id: The media item.
        url: The server; or
        ingest: an `Ingest` to use, which saves a connection for each call.

    Returns:
        One result for each crop, in their order, with vectors: float32 of shape (512,), norm 1.
    """
    return _run([_face(job_id, media_store_id, index, crop) for index, crop in enumerate(face_crops)], url, ingest)


def _run(items: Sequence[Union[ImageItem, FaceItem]], url: Optional[str], ingest: Optional[Ingest]) -> List[IngestResult]:
    if ingest is not None:
        return list(ingest.stream(items, return_embedding=True))
    with Ingest(url) as own:
        return list(own.stream(items, return_embedding=True))


def _face(job_id: str, media_store_id: str, index: int, crop: Union[Picture, Mapping[str, Any]]) -> FaceItem:
    if not isinstance(crop, Mapping):
        return FaceItem(job_id, index, crop, media_store_id)
    fields = ("bbox", "confidence", "landmarks", "attributes")
    return FaceItem(job_id, crop.get("face_index", index), crop.get("image", b""), media_store_id, **{name: crop.get(name) for name in fields})


def _request(item: Union[ImageItem, FaceItem]) -> ingest_pb2.StreamIngestRequest:
    attributes = None if item.attributes is None else to_struct(item.attributes, "attributes")
    if isinstance(item, ImageItem):
        image = ingest_pb2.ImageItem(
            job_id=item.job_id, media_store_id=item.media_store_id, image=to_image(item.image, None, "image.image"), attributes=attributes
        )
        return ingest_pb2.StreamIngestRequest(image=image)
    face = ingest_pb2.FaceItem(
        job_id=item.job_id,
        media_store_id=item.media_store_id,
        face_index=to_index(item.face_index, "face.face_index"),
        face=to_face(item.image, item.landmarks, None, "face.face"),
        bbox=None if item.bbox is None else to_bbox(item.bbox, "face.bbox"),
        confidence=None if item.confidence is None else to_float(item.confidence, "face.confidence"),
        attributes=attributes,
    )
    return ingest_pb2.StreamIngestRequest(face=face)


def _result(label: str, answer: ingest_pb2.StreamIngestResponse) -> IngestResult:
    if answer.WhichOneof("result") != "ack":
        return IngestResult(label, error=from_item(answer.error))
    ack = answer.ack
    embedding = np.array(ack.embedding.values, dtype=np.float32) if ack.HasField("embedding") else None
    return IngestResult(label, ack.point_id, ack.collection, embedding)
