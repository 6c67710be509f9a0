"""Faces of photos: finding, embedding, comparing, and identifying them without storing anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from .connection import Connected, Connection
from .images import LANDMARKS, ImageLike, to_image
from .payloads import FilterLike, to_filter, to_float, to_index
from .stubs.embeddings.v1 import embedding_pb2, face_pb2, face_service_pb2 as service_pb2, face_service_pb2_grpc, image_pb2
from .vectors import Vector, from_embedding

_REASON = "LEFT_OUT_REASON_"
_QUALITIES = ("overall", "size", "sharpness", "brightness", "contrast", "pose", "confidence")


@dataclass(frozen=True)
class FaceOptions:
    """Selects the faces of a photo. Values that are not set are the server's defaults.

    Attributes:
        max_faces: Maximum number of faces, 1 to 1,000, the largest first. Default: 100.
        min_face_size: Minimum length of the shorter side of a face's box in pixels of the photo, 10 to 4,096. Default: 40.
        min_confidence: Minimum confidence of the detector, 0 to 1. Default: that of the detector.
        min_quality: Minimum overall quality, 0 to 1. Default: faces of any quality are kept.
        try_rotations: Whether the photo is also searched rotated by 90, 180, and 270 degrees. Default: False.
        detector: Name of a detector. Default: the server's default detector.
        landmark_model: Name of a landmark model. Default: the server's default landmark model.
        with_liveness: Whether each face's liveness is estimated. Default: False.
    """

    max_faces: int = 0
    min_face_size: int = 0
    min_confidence: Optional[float] = None
    min_quality: Optional[float] = None
    try_rotations: bool = False
    detector: str = ""
    landmark_model: str = ""
    with_liveness: bool = False


@dataclass(frozen=True)
class Face:
    """A face in a photo. All coordinates are in pixels of the upright photo.

    Attributes:
        face_index: Position in the list of faces, from 0 on.
        bbox: Box of the face: ``{"x", "y", "width", "height"}``. It may extend beyond the photo.
        confidence: Confidence of the detector, 0 to 1.
        landmarks: ``{"x", "y"}`` of ``left_eye``, ``right_eye``, ``nose``, ``left_mouth_corner``, and ``right_mouth_corner``.
        quality: ``overall``, ``size``, ``sharpness``, ``brightness``, ``contrast``, ``pose``, and ``confidence``, each 0 to 1.
        pose: ``yaw``, ``pitch``, and ``roll`` in degrees.
        liveness: Probability that the face was taken from life, or None if it was not requested.
        embedding: float32 array of shape (dimension,) with an L2 norm of 1, or None if the face was only detected.
        model: Name of the face model. Empty if the face was only detected.
        crop_png: Aligned crop of 112x112 pixels as a PNG file, or None if it was not requested.
    """

    face_index: int
    bbox: Dict[str, float]
    confidence: float
    landmarks: Dict[str, Dict[str, float]]
    quality: Dict[str, float]
    pose: Dict[str, float]
    liveness: Optional[float] = None
    embedding: Optional[Vector] = field(default=None, compare=False)
    model: str = ""
    crop_png: Optional[bytes] = field(default=None, repr=False)


@dataclass(frozen=True)
class LeftOutFace:
    """A face that was found and left out.

    Attributes:
        bbox: Box of the face: ``{"x", "y", "width", "height"}`` in pixels of the upright photo.
        confidence: Confidence of the detector, 0 to 1.
        reason: ``TOO_SMALL``, ``LOW_CONFIDENCE``, ``LOW_QUALITY``, ``OVER_MAX_FACES``, or ``LANDMARKS_INVALID``.
        message: The reason with the value and the limit.
    """

    bbox: Dict[str, float]
    confidence: float
    reason: str
    message: str


@dataclass(frozen=True)
class PhotoInfo:
    """Size of an upright photo in pixels, the EXIF orientation that was applied (1 to 8), and the rotation after that."""

    width: int
    height: int
    exif_orientation: int
    rotation: int


@dataclass(frozen=True)
class PhotoFaces:
    """Faces of a photo, largest first, and those that were left out."""

    faces: List[Face]
    left_out: List[LeftOutFace]
    photo: PhotoInfo


@dataclass(frozen=True)
class FacePair:
    """A face of the first photo and one of the second.

    Attributes:
        first_index: `face_index` in the first photo.
        second_index: `face_index` in the second photo.
        similarity: Cosine similarity, -1 to 1.
        same_person: Whether the similarity reaches the threshold, or None if there is no threshold.
    """

    first_index: int
    second_index: int
    similarity: float
    same_person: Optional[bool]


@dataclass(frozen=True)
class FaceComparison:
    """Faces of two photos, every pair of them with the most similar first, the threshold, and the name of the model."""

    first: List[Face]
    second: List[Face]
    pairs: List[FacePair]
    threshold: Optional[float]
    model: str


@dataclass(frozen=True)
class PersonMatch:
    """A person that a face resembles.

    Attributes:
        person: Name of the person.
        similarity: Cosine similarity to the most similar face of the person, -1 to 1.
        point_id: Id of that face's point.
        same_person: Whether the similarity reaches the threshold.
    """

    person: str
    similarity: float
    point_id: str
    same_person: bool


@dataclass(frozen=True)
class IdentifiedFace:
    """A face, the persons that it resembles most, and the name of the person that it shows; empty if it is unknown."""

    face: Face
    persons: List[PersonMatch]
    person: str


@dataclass(frozen=True)
class IdentifiedFaces:
    """Identified faces of a photo, largest first, those that were left out, and the threshold that was applied."""

    faces: List[IdentifiedFace]
    left_out: List[LeftOutFace]
    photo: PhotoInfo
    threshold: float


class Faces(Connected):
    """Finds, embeds, compares, and identifies the faces of photos. Nothing is stored. Thread-safe.

    A photo is an image in any of the forms of `ImageLike`: a path, bytes, a Pillow image, or a uint8 array of shape HxWx3 (RGB, or
    BGR with ``color_order="BGR"``) or HxW. Float arrays are rejected.

    Args:
        url: URL of the server; see `Connection`.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(self, url: Optional[str] = None, *, connection: Optional[Connection] = None, timeout: float = 30.0) -> None:
        super().__init__(url, connection, timeout)
        self._stub = face_service_pb2_grpc.FaceServiceStub(self._connection.channel)

    def detect_faces(
        self, photo: ImageLike, options: Optional[FaceOptions] = None, *, return_crops: bool = False, color_order: str = "RGB"
    ) -> PhotoFaces:
        """Finds the faces in a photo, with landmarks and quality.

        Args:
            photo: Photo; see `ImageLike`.
            options: Faces to keep. Default: the server's defaults.
            return_crops: Whether the faces include their aligned crops. Default: False.
            color_order: Order of the color channels if `photo` is an array, "RGB" or "BGR". Default: "RGB".

        Raises:
            EmbeddingsError: If the call fails. An invalid photo raises `InvalidInput`, which is also a ValueError.
        """
        request = service_pb2.DetectFacesRequest(
            photo=to_image(photo, None, "photo", color_order), options=to_options(options), return_crops=return_crops
        )
        answer = self._connection.call(self._stub.DetectFaces, request)
        faces = [from_face(face.face, crop=_crop(face)) for face in answer.faces]
        return PhotoFaces(faces, from_left_out(answer.left_out), from_photo(answer.photo))

    def embed_faces(
        self, photo: ImageLike, options: Optional[FaceOptions] = None, *, model: str = "", return_crops: bool = False, color_order: str = "RGB"
    ) -> PhotoFaces:
        """Finds the faces in a photo and embeds each.

        Args:
            photo: Photo; see `ImageLike`.
            options: Faces to keep. Default: the server's defaults.
            model: Name of a face model. If empty, the server's default face model is used.
            return_crops: Whether the faces include their aligned crops. Default: False.
            color_order: Order of the color channels if `photo` is an array, "RGB" or "BGR". Default: "RGB".

        Raises:
            EmbeddingsError: If the call fails. An invalid photo raises `InvalidInput`, which is also a ValueError.
        """
        request = service_pb2.EmbedFacesRequest(
            photo=to_image(photo, None, "photo", color_order), options=to_options(options), model=model, return_crops=return_crops
        )
        answer = self._connection.call(self._stub.EmbedFaces, request)
        faces = [from_face(face.face, face.embedding, _crop(face)) for face in answer.faces]
        return PhotoFaces(faces, from_left_out(answer.left_out), from_photo(answer.photo))

    def compare_faces(
        self,
        first: ImageLike,
        second: ImageLike,
        options: Optional[FaceOptions] = None,
        *,
        model: str = "",
        threshold: Optional[float] = None,
        color_order: str = "RGB",
    ) -> FaceComparison:
        """Compares each face of one photo with each face of another.

        Args:
            first: First photo; see `ImageLike`.
            second: Second photo.
            options: Faces to keep of each photo. Default: the server's defaults.
            model: Name of a face model. If empty, the server's default face model is used.
            threshold: Similarity from which two faces show the same person, -1 to 1. If None, that of the model.
            color_order: Order of the color channels of photos that are arrays, "RGB" or "BGR". Default: "RGB".

        Raises:
            EmbeddingsError: If the call fails. An invalid photo raises `InvalidInput`, which is also a ValueError.
        """
        request = service_pb2.CompareFacesRequest(
            first=to_image(first, None, "first", color_order),
            second=to_image(second, None, "second", color_order),
            options=to_options(options),
            model=model,
            threshold=_optional(threshold, "threshold"),
        )
        answer = self._connection.call(self._stub.CompareFaces, request)
        pairs = [
            FacePair(pair.first_index, pair.second_index, pair.similarity, pair.same_person if pair.HasField("same_person") else None)
            for pair in answer.pairs
        ]
        return FaceComparison(
            [from_face(face) for face in answer.first_faces],
            [from_face(face) for face in answer.second_faces],
            pairs,
            answer.threshold if answer.HasField("threshold") else None,
            answer.model,
        )

    def identify_faces(
        self,
        photo: ImageLike,
        options: Optional[FaceOptions] = None,
        *,
        collection: str = "",
        max_persons: int = 3,
        threshold: Optional[float] = None,
        filter: Optional[FilterLike] = None,
        model: str = "",
        color_order: str = "RGB",
    ) -> IdentifiedFaces:
        """Finds the persons of a collection that each face of a photo resembles most.

        The persons are those of the attribute `person`, which `Persons` and the attributes of an item set.

        Args:
            photo: Photo; see `ImageLike`.
            options: Faces to keep. Default: the server's defaults.
            collection: Collection with the known faces. If empty, `face_embeddings` is used.
            max_persons: Maximum number of persons for each face, 1 to 100. Default: 3.
            threshold: Similarity from which a face shows a person, -1 to 1. If None, that of the model.
            filter: Compares only with points that match; see `FilterLike`.
            model: Name of a face model. If empty, the server's default face model is used.
            color_order: Order of the color channels if `photo` is an array, "RGB" or "BGR". Default: "RGB".

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if the collection does not exist.
        """
        request = service_pb2.IdentifyFacesRequest(
            photo=to_image(photo, None, "photo", color_order),
            options=to_options(options),
            model=model,
            collection=collection,
            max_persons=to_index(max_persons, "max_persons"),
            threshold=_optional(threshold, "threshold"),
            filter=to_filter(filter),
        )
        answer = self._connection.call(self._stub.IdentifyFaces, request)
        faces = [
            IdentifiedFace(
                from_face(found.face),
                [PersonMatch(match.person, match.similarity, match.point_id, match.same_person) for match in found.persons],
                found.person,
            )
            for found in answer.faces
        ]
        return IdentifiedFaces(faces, from_left_out(answer.left_out), from_photo(answer.photo), answer.threshold)


def to_options(options: Optional[FaceOptions]) -> Optional[face_pb2.FaceOptions]:
    """Converts options to a message. The server checks their ranges."""
    if options is None:
        return None
    return face_pb2.FaceOptions(
        max_faces=to_index(options.max_faces, "options.max_faces"),
        min_face_size=to_index(options.min_face_size, "options.min_face_size"),
        min_confidence=_optional(options.min_confidence, "options.min_confidence"),
        min_quality=_optional(options.min_quality, "options.min_quality"),
        try_rotations=options.try_rotations,
        detector=options.detector,
        landmark_model=options.landmark_model,
        with_liveness=options.with_liveness,
    )


def from_face(face: face_pb2.Face, embedding: Optional[embedding_pb2.Embedding] = None, crop: Optional[bytes] = None) -> Face:
    """Converts a message to a face."""
    return Face(
        face.face_index,
        _box(face.bbox),
        face.confidence,
        {name: {"x": getattr(face.landmarks, name).x, "y": getattr(face.landmarks, name).y} for name in LANDMARKS},
        {name: getattr(face.quality, name) for name in _QUALITIES},
        {"yaw": face.pose.yaw, "pitch": face.pose.pitch, "roll": face.pose.roll},
        face.liveness if face.HasField("liveness") else None,
        None if embedding is None else from_embedding(embedding),
        "" if embedding is None else embedding.model,
        crop,
    )


def from_left_out(faces: Any) -> List[LeftOutFace]:
    """Converts messages to faces that were left out."""
    return [LeftOutFace(_box(face.bbox), face.confidence, _reason(face.reason), face.message) for face in faces]


def from_photo(photo: face_pb2.PhotoInfo) -> PhotoInfo:
    return PhotoInfo(photo.width, photo.height, photo.exif_orientation, photo.rotation)


def landmarks_of(face: Face) -> List[Tuple[float, float]]:
    """Returns the landmarks as five pairs (x, y): left eye, right eye, nose, left and right mouth corner."""
    return [(face.landmarks[name]["x"], face.landmarks[name]["y"]) for name in LANDMARKS]


def _reason(value: Any) -> str:
    names: Dict[int, str] = {number.number: number.name for number in face_pb2.LeftOutReason.DESCRIPTOR.values}
    # A newer server may have reasons that this client does not know.
    return names[value][len(_REASON):] if value in names else str(value)


def _box(box: image_pb2.BoundingBox) -> Dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def _crop(face: Any) -> Optional[bytes]:
    return face.crop_png if face.HasField("crop_png") else None


def _optional(value: Optional[float], field: str) -> Optional[float]:
    return None if value is None else to_float(value, field)
