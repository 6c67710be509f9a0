"""Embedding of images and faces without storing the vectors."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Tuple, Union

import grpc  # type: ignore[import]

from .connection import Connected, Connection
from .errors import EmbeddingsError, from_item
from .images import FaceLike, ImageLike, to_face, to_image
from .streams import exchange
from .stubs.embeddings.v1 import embedding_pb2, embedding_service_pb2, embedding_service_pb2_grpc, image_pb2
from .vectors import Vector, from_embedding

_log = logging.getLogger(__name__)


class MLInference(ABC):
    """A model that embeds images."""

    @abstractmethod
    def infer(self, buffer: ImageLike, label: str = "") -> Vector:
        """Returns the vector of one image, float32 of shape (embedding_dim,)."""

    @abstractmethod
    def infer_batch(self, buffers: Mapping[str, ImageLike]) -> Dict[str, Optional[Vector]]:
        """Returns the vectors of several images by label; the value is None if the image failed."""


class _RemoteInference(Connected, MLInference):
    """Base class of image and face inference. Thread-safe.

    Args:
        embedding_dim: Expected number of dimensions. If the server's model has another dimension, FAILED_PRECONDITION is
            raised.
        input_size: Height and width required of float arrays, in pixels: the model's input size.
        url: URL of the server; see `Connection`.
        model: Name of a model. If empty, the server's default model is used.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(
        self,
        embedding_dim: int,
        input_size: Tuple[int, int],
        url: Optional[str],
        model: str,
        connection: Optional[Connection],
        timeout: float,
    ) -> None:
        super().__init__(url, connection, timeout)
        self.embedding_dim = embedding_dim
        self.input_size = input_size
        self.model = model
        self._stub = embedding_service_pb2_grpc.EmbeddingServiceStub(self._connection.channel)

    def infer(self, buffer: FaceLike, label: str = "") -> Vector:
        """Embeds one image.

        Args:
            buffer: Path or content of a JPEG, PNG, WebP, GIF, TIFF, or AVIF file; a Pillow image; an HxWx3 or HxW uint8
                array of any size; or an HxWx3 float32 array of size `input_size` whose values are already on the model's
                scale.
            label: Name of the image, used in log messages.

        Returns:
            float32 array of shape (embedding_dim,). Face vectors have an L2 norm of 1.

        Raises:
            EmbeddingsError: If the call fails. Invalid input raises `InvalidInput`, which is also a ValueError.
        """
        try:
            return self._vector(self._unary(buffer))
        except EmbeddingsError as error:
            _log.debug("'%s' failed: %s", label, error)
            raise

    def infer_batch(self, buffers: Mapping[str, FaceLike]) -> Dict[str, Optional[Vector]]:
        """Embeds several images in one stream.

        Args:
            buffers: Images by label, each as in `infer`.

        Returns:
            Vectors by label, in the same order: float32 arrays of shape (embedding_dim,), or None if the image failed.
            Errors are logged; use `infer_stream` to get them.
        """
        vectors: Dict[str, Optional[Vector]] = {}
        for label, outcome in self.infer_stream(buffers.items()):
            if isinstance(outcome, EmbeddingsError):
                _log.warning("'%s' failed: %s", label, outcome)
                vectors[label] = None
            else:
                vectors[label] = outcome
        return vectors

    def infer_stream(self, items: Iterable[Tuple[str, FaceLike]]) -> Iterator[Tuple[str, Union[Vector, EmbeddingsError]]]:
        """Embeds a stream of any length and yields (label, vector or error) for each item, in order.

        `items` is read only as fast as the server accepts them. An image that the client rejects is not sent; its error
        is yielded in its place. If the connection breaks, the client reconnects and resends the items without a response.

        Args:
            items: Pairs of a label and an image, each as in `infer`. A path is read when its item is sent.

        Raises:
            EmbeddingsError: If the whole stream fails, for example because the server cannot be reached again.
        """
        # Both are filled on the thread that reads `items` when requests are created, and emptied here in order.
        rejected: Dict[int, Tuple[str, EmbeddingsError]] = {}
        labels: Dict[int, str] = {}
        count = [0]

        def requests() -> Iterator[embedding_service_pb2.StreamEmbedRequest]:
            for label, buffer in items:
                position = count[0]
                try:
                    request = self._request(buffer)
                except EmbeddingsError as error:
                    rejected[position] = (label, error)
                    count[0] += 1
                    continue
                request.item_id, request.vectors_as_bytes = str(position), True
                labels[position] = label
                count[0] += 1
                yield request

        position = 0
        for answer in exchange(self._stub.StreamEmbed, requests(), self._connection.timeout, self._connection.streams):
            # All items rejected before this one were recorded before its request was created.
            while position in rejected:
                yield rejected.pop(position)
                position += 1
            label = labels.pop(position)
            position += 1
            yield label, self._outcome(answer)
        while position in rejected:
            yield rejected.pop(position)
            position += 1

    def _outcome(self, answer: embedding_service_pb2.StreamEmbedResponse) -> Union[Vector, EmbeddingsError]:
        if answer.WhichOneof("result") == "embedding":
            try:
                return self._vector(answer.embedding)
            except EmbeddingsError as error:
                return error
        return from_item(answer.error)

    def _vector(self, embedding: embedding_pb2.Embedding) -> Vector:
        vector = from_embedding(embedding)
        if len(vector) != self.embedding_dim:
            message = f"embedding_dim must be {len(vector)}, the dimension of '{embedding.model}'; got {self.embedding_dim}."
            raise EmbeddingsError(grpc.StatusCode.FAILED_PRECONDITION, "DIMENSION_MISMATCH", "embedding_dim", message)
        return vector

    @abstractmethod
    def _unary(self, buffer: FaceLike) -> embedding_pb2.Embedding:
        """Embeds one image in a unary call."""

    @abstractmethod
    def _request(self, buffer: FaceLike) -> embedding_service_pb2.StreamEmbedRequest:
        """Creates the stream request for one image."""


class ImageEmbeddingInference(_RemoteInference):
    """Embeds whole images. By default, the model input is 224x224 pixels and vectors have 512 dimensions."""

    def __init__(
        self,
        embedding_dim: int = 512,
        input_size: Tuple[int, int] = (224, 224),
        url: Optional[str] = None,
        *,
        model: str = "",
        connection: Optional[Connection] = None,
        timeout: float = 30.0,
    ) -> None:
        super().__init__(embedding_dim, input_size, url, model, connection, timeout)

    def _unary(self, buffer: FaceLike) -> embedding_pb2.Embedding:
        request = embedding_service_pb2.EmbedImageRequest(image=self._image(buffer), model=self.model)
        return self._connection.call(self._stub.EmbedImage, request).embedding

    def _request(self, buffer: FaceLike) -> embedding_service_pb2.StreamEmbedRequest:
        return embedding_service_pb2.StreamEmbedRequest(image=self._image(buffer), model=self.model)

    def _image(self, buffer: Any) -> image_pb2.Image:
        # Also rejects a dict, which is a face.
        return to_image(buffer, self.input_size)


class FaceEmbeddingInference(_RemoteInference):
    """Embeds aligned face crops.

    By default, the model input is 112x112 pixels and vectors have 512 dimensions. Vectors have an L2 norm of 1.
    """

    def __init__(
        self,
        embedding_dim: int = 512,
        input_size: Tuple[int, int] = (112, 112),
        url: Optional[str] = None,
        *,
        model: str = "",
        connection: Optional[Connection] = None,
        timeout: float = 30.0,
    ) -> None:
        super().__init__(embedding_dim, input_size, url, model, connection, timeout)

    def infer(self, buffer: FaceLike, label: str = "", landmarks: Any = None, aligned: bool = False) -> Vector:
        """Embeds one face.

        Args:
            buffer: Crop of the face, in any of the forms of `ImageEmbeddingInference.infer`, or a dict with the keys ``image``
                (required), ``landmarks``, and ``aligned``. `infer_batch` and `infer_stream` also accept such dicts.
            label: Name of the face, used in log messages.
            landmarks: Left eye, right eye, nose, and left and right mouth corner, in pixels of the crop: a 5x2 array or five
                pairs (x, y) in this order, or a dict from ``left_eye``, ``right_eye``, ``nose``, ``left_mouth_corner``, and
                ``right_mouth_corner`` to ``{"x", "y"}``. If set, the server aligns the face; otherwise the crop must already
                be aligned. Default: None.
            aligned: Whether the image is an aligned crop, whatever its size and shape. If False, the server rejects an image
                without landmarks that is plainly a whole photo (FACE_NOT_CROPPED): `Faces` finds the faces in photos.
                Default: False.

        Returns:
            float32 array of shape (embedding_dim,) with an L2 norm of 1.

        Raises:
            EmbeddingsError: If the call fails. Invalid input raises `InvalidInput`, which is also a ValueError, for example
                with the reason LANDMARKS_INVALID.
        """
        if landmarks is None and not aligned:
            return super().infer(buffer, label)
        face = dict(buffer) if isinstance(buffer, Mapping) else {"image": buffer}
        if landmarks is not None:
            face["landmarks"] = landmarks
        return super().infer({**face, "aligned": aligned or bool(face.get("aligned"))}, label)

    def _unary(self, buffer: FaceLike) -> embedding_pb2.Embedding:
        request = embedding_service_pb2.EmbedFaceRequest(face=to_face(buffer, None, self.input_size), model=self.model)
        return self._connection.call(self._stub.EmbedFace, request).embedding

    def _request(self, buffer: FaceLike) -> embedding_service_pb2.StreamEmbedRequest:
        return embedding_service_pb2.StreamEmbedRequest(face=to_face(buffer, None, self.input_size), model=self.model)
