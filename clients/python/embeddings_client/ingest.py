"""Embedding and storing in one step, in bulk streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from .connection import Connected, Connection
from .errors import EmbeddingsError, from_item
from .faces import Face, FaceOptions, LeftOutFace, PhotoInfo, from_face, from_left_out, from_photo, to_options
from .images import ImageLike, to_bbox, to_face, to_image
from .payloads import to_float, to_index, to_struct
from .streams import exchange
from .stubs.embeddings.v1 import ingest_service_pb2 as ingest_pb2, ingest_service_pb2_grpc
from .vectors import Vector, from_embedding


@dataclass(frozen=True)
class ImageItem:
    """A whole image, stored with the point id `job_id`.

    Attributes:
        job_id: Job that the image belongs to, 1 to 512 bytes.
        image: Image; see `ImageLike`.
        media_store_id: Media item that the image belongs to, at most 512 bytes. Default: none.
        attributes: User-defined fields stored with the vector, at most 64 KiB as JSON. Default: none.
    """

    job_id: str
    image: ImageLike
    media_store_id: str = ""
    attributes: Optional[Mapping[str, Any]] = None

    @property
    def label(self) -> str:
        return self.job_id


@dataclass(frozen=True)
class FaceItem:
    """A face, stored with the point id `job_id-face_index`.

    Attributes:
        job_id: Job that the face belongs to, 1 to 512 bytes.
        face_index: Index of the face within the job, 0 or more.
        image: Face crop; see `ImageLike`.
        media_store_id: Media item that the face belongs to, at most 512 bytes.
        bbox: Position in the source image in pixels: a dict with x, y, width, and height, or these four values.
        confidence: Confidence of the face detector, 0 to 1.
        landmarks: Five points in pixels of the crop, as a dict by name or a 5x2 array. If set, the server aligns the face;
            otherwise the crop must already be aligned.
        attributes: User-defined fields stored with the vector.
        aligned: Whether the image is an aligned crop, whatever its size and shape. If False, the server rejects an image without
            landmarks that is plainly a whole photo (FACE_NOT_CROPPED): send it as a `PhotoItem`.
    """

    job_id: str
    face_index: int
    image: ImageLike
    media_store_id: str = ""
    bbox: Union[Mapping[str, Any], Sequence[float], None] = None
    confidence: Optional[float] = None
    landmarks: Any = None
    attributes: Optional[Mapping[str, Any]] = None
    aligned: bool = False

    @property
    def label(self) -> str:
        return f"{self.job_id}-{self.face_index}"


@dataclass(frozen=True)
class PhotoItem:
    """A photo, all of whose faces are stored, with the point ids `job_id-face_index`.

    Sending a photo again replaces its faces and removes those that it does not show any more.

    Attributes:
        job_id: Job that the photo belongs to, 1 to 512 bytes.
        photo: Photo; see `ImageLike`. Float arrays are rejected.
        media_store_id: Media item that the photo belongs to, for example the video of a frame. At most 512 bytes.
        attributes: User-defined fields stored with each face. `person` names all of them.
        options: Faces to keep. Default: the server's defaults.
        with_image: Whether the vector of the whole image is stored as well, with the point id `job_id`. Default: False.
        color_order: Order of the color channels if `photo` is an array, "RGB" or "BGR". Default: "RGB".
    """

    job_id: str
    photo: ImageLike
    media_store_id: str = ""
    attributes: Optional[Mapping[str, Any]] = None
    options: Optional[FaceOptions] = None
    with_image: bool = False
    color_order: str = "RGB"

    @property
    def label(self) -> str:
        return self.job_id


#: An item of an ingest stream.
Item = Union[ImageItem, FaceItem, PhotoItem]


@dataclass(frozen=True)
class StoredFace:
    """A face that was stored: the id of its point and the face, with its vector if it was requested."""

    point_id: str
    face: Face


@dataclass(frozen=True)
class PhotoResult:
    """Stored faces of a photo.

    Attributes:
        faces: Stored faces, largest first.
        left_out: Faces that were found and not stored, with the reason.
        removed: Number of earlier faces of the same job that were removed.
        photo: Size and orientation of the photo.
    """

    faces: List[StoredFace]
    left_out: List[LeftOutFace]
    removed: int
    photo: PhotoInfo


@dataclass(frozen=True)
class IngestResult:
    """Result of one item: the durably stored point, or the faces of a photo, or the error.

    Attributes:
        label: `label` of the item.
        point_id: Id of the stored point. Empty if the item failed, and for a photo without `with_image`.
        collection: Collection that contains the point, or the faces of a photo. Empty if the item failed.
        embedding: float32 array of shape (dimension,), or None if it was not requested or the item failed.
        error: Reason why the item was not stored, or None.
        photo: Stored faces, if the item is a photo, or None. A photo without faces is not an error.
    """

    label: str
    point_id: str = ""
    collection: str = ""
    embedding: Optional[Vector] = None
    error: Optional[EmbeddingsError] = None
    photo: Optional[PhotoResult] = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Ingest(Connected):
    """Ingests streams of items. Thread-safe.

    Args:
        url: URL of the server; see `Connection`.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(self, url: Optional[str] = None, *, connection: Optional[Connection] = None, timeout: float = 30.0) -> None:
        super().__init__(url, connection, timeout)
        self._stub = ingest_service_pb2_grpc.IngestServiceStub(self._connection.channel)

    def stream(
        self, items: Iterable[Item], *, model: str = "", collection: str = "", return_embedding: bool = False
    ) -> Iterator[IngestResult]:
        """Ingests a stream of any length and yields one result per item, in order.

        `items` is read only as fast as the server accepts them. If the connection breaks, the client reconnects and resends
        the items without a result. Point ids are derived from the items, so sending an item again replaces its point and does
        not create a duplicate.

        Args:
            items: Images, faces, and photos. A path is read when its item is sent.
            model: Name of a model of the items' kind. If empty, the server's default model of that kind is used.
            collection: Collection to store the vectors in; created if it does not exist. If empty, `image_embeddings` is used
                for images and `face_embeddings` for faces and photos.
            return_embedding: Whether the results include the vectors. Default: False.

        Raises:
            EmbeddingsError: If the whole stream fails, for example because the server cannot be reached again. Items without
                a result can be sent again.
        """
        rejected: Dict[int, IngestResult] = {}
        labels: Dict[int, str] = {}

        def requests() -> Iterator[ingest_pb2.StreamIngestRequest]:
            for position, item in enumerate(items):
                try:
                    request = _request(item)
                except EmbeddingsError as error:
                    rejected[position] = IngestResult(item.label, error=error)
                    continue
                request.item_id, request.model, request.collection = str(position), model, collection
                request.return_embedding = request.vectors_as_bytes = return_embedding
                labels[position] = item.label
                yield request

        position = 0
        for answer in exchange(self._stub.StreamIngest, requests(), self._connection.timeout, self._connection.streams):
            # Items rejected by the client are not sent; their errors are yielded in their place.
            while position in rejected:
                yield rejected.pop(position)
                position += 1
            yield _result(labels.pop(position), answer)
            position += 1
        while position in rejected:
            yield rejected.pop(position)
            position += 1

    def ingest_photo(
        self, item: PhotoItem, *, model: str = "", collection: str = "", return_embedding: bool = False
    ) -> PhotoResult:
        """Finds the faces in one photo, embeds them, and returns once all are durably stored.

        Args:
            item: The photo.
            model: Name of a face model. If empty, the server's default face model is used.
            collection: Collection to store the faces in; created if it does not exist. If empty, `face_embeddings` is used.
            return_embedding: Whether the faces include their vectors. Default: False.

        Raises:
            EmbeddingsError: If the call fails. An invalid photo raises `InvalidInput`, which is also a ValueError.
        """
        request = ingest_pb2.IngestPhotoRequest(item=_photo(item, "item"), model=model, collection=collection, return_embedding=return_embedding)
        return _photo_result(self._connection.call(self._stub.IngestPhoto, request).ack)

    def ingest_photos(
        self, items: Iterable[PhotoItem], *, model: str = "", collection: str = "", return_embedding: bool = False
    ) -> Iterator[IngestResult]:
        """Ingests a stream of photos of any length and yields one result per photo, in order; see `stream`."""
        return self.stream(items, model=model, collection=collection, return_embedding=return_embedding)


def process_image_embedding(
    job_id: str,
    image_buffer: ImageLike,
    media_store_id: str = "",
    *,
    attributes: Optional[Mapping[str, Any]] = None,
    url: Optional[str] = None,
    ingest: Optional[Ingest] = None,
) -> IngestResult:
    """Embeds a whole image and stores its vector with the point id `job_id`.

    Args:
        job_id: Job that the image belongs to, 1 to 512 bytes.
        image_buffer: Image; see `ImageEmbeddingInference.infer`.
        media_store_id: Media item that the image belongs to, at most 512 bytes.
        attributes: User-defined fields stored with the vector.
        url: URL of the server; see `Connection`.
        ingest: Existing `Ingest` to use instead of `url`, which avoids a new connection per call.

    Returns:
        The result, with the vector as a float32 array of shape (512,) by default. `error` is set if the item failed.
    """
    items = [ImageItem(job_id, image_buffer, media_store_id, attributes)]
    return _run(items, url, ingest)[0]


def process_face_embedding(
    job_id: str,
    face_crops: Sequence[Union[ImageLike, Mapping[str, Any]]],
    media_store_id: str = "",
    *,
    url: Optional[str] = None,
    ingest: Optional[Ingest] = None,
) -> List[IngestResult]:
    """Embeds the faces of one image in one stream and stores their vectors with the point ids `job_id-face_index`.

    Args:
        job_id: Job that the faces belong to, 1 to 512 bytes.
        face_crops: Crops, or dicts with the keys ``image`` (required), ``face_index``, ``bbox``, ``confidence``,
            ``landmarks``, ``attributes``, and ``aligned``. `face_index` defaults to the position in this list.
        media_store_id: Media item that the faces belong to, at most 512 bytes.
        url: URL of the server; see `Connection`.
        ingest: Existing `Ingest` to use instead of `url`, which avoids a new connection per call.

    Returns:
        One result per crop, in order, with the vector as a float32 array of shape (512,) by default and L2 norm 1.
    """
    return _run([_face(job_id, media_store_id, index, crop) for index, crop in enumerate(face_crops)], url, ingest)


def _run(items: Sequence[Item], url: Optional[str], ingest: Optional[Ingest]) -> List[IngestResult]:
    if ingest is not None:
        return list(ingest.stream(items, return_embedding=True))
    with Ingest(url) as own:
        return list(own.stream(items, return_embedding=True))


def _face(job_id: str, media_store_id: str, index: int, crop: Union[ImageLike, Mapping[str, Any]]) -> FaceItem:
    if not isinstance(crop, Mapping):
        return FaceItem(job_id, index, crop, media_store_id)
    fields = {name: crop.get(name) for name in ("bbox", "confidence", "landmarks", "attributes")}
    return FaceItem(job_id, crop.get("face_index", index), crop.get("image", b""), media_store_id, **fields, aligned=bool(crop.get("aligned")))


def _request(item: Item) -> ingest_pb2.StreamIngestRequest:
    if isinstance(item, PhotoItem):
        return ingest_pb2.StreamIngestRequest(photo=_photo(item, "photo"))
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
        face=to_face(item.image, item.landmarks, None, "face.face", item.aligned),
        bbox=None if item.bbox is None else to_bbox(item.bbox, "face.bbox"),
        confidence=None if item.confidence is None else to_float(item.confidence, "face.confidence"),
        attributes=attributes,
    )
    return ingest_pb2.StreamIngestRequest(face=face)


def _photo(item: PhotoItem, field: str) -> ingest_pb2.PhotoItem:
    return ingest_pb2.PhotoItem(
        job_id=item.job_id,
        media_store_id=item.media_store_id,
        photo=to_image(item.photo, None, f"{field}.photo", item.color_order),
        attributes=None if item.attributes is None else to_struct(item.attributes, f"{field}.attributes"),
        options=to_options(item.options),
        with_image=item.with_image,
    )


def _photo_result(ack: ingest_pb2.PhotoAck) -> PhotoResult:
    faces = [StoredFace(face.point_id, from_face(face.face, face.embedding if face.HasField("embedding") else None)) for face in ack.faces]
    return PhotoResult(faces, from_left_out(ack.left_out), ack.removed_count, from_photo(ack.photo))


def _result(label: str, answer: ingest_pb2.StreamIngestResponse) -> IngestResult:
    if answer.WhichOneof("result") == "photo_ack":
        photo_ack = answer.photo_ack
        embedding = from_embedding(photo_ack.image.embedding) if photo_ack.image.HasField("embedding") else None
        return IngestResult(label, photo_ack.image.point_id, photo_ack.collection, embedding, photo=_photo_result(photo_ack))
    if answer.WhichOneof("result") != "ack":
        return IngestResult(label, error=from_item(answer.error))
    ack = answer.ack
    embedding = from_embedding(ack.embedding) if ack.HasField("embedding") else None
    return IngestResult(label, ack.point_id, ack.collection, embedding)
