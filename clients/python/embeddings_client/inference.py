"""Pictures in, vectors out; nothing is stored."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple, Union

import grpc
import numpy as np
from numpy.typing import NDArray

from .connection import Connected, Connection
from .errors import EmbeddingsError, from_item
from .pictures import Picture, to_face, to_image
from .streams import exchange
from .stubs.embeddings.v1 import embedding_pb2, embedding_service_pb2, embedding_service_pb2_grpc

Vector = NDArray[np.float32]

_log = logging.getLogger(__name__)


class MLInference(ABC):
    """A model that turns one picture into one vector."""

    @abstractmethod
    def infer(self, buffer: Picture, label: str = "") -> Vector:
        """The vector of one picture, float32 of shape (embedding_dim,)."""

    @abstractmethod
    def infer_batch(self, buffers: Mapping[str, Picture]) -> Dict[str, Optional[Vector]]:
        """The vectors of many pictures by their labels; None where one failed."""


class _RemoteInference(Connected, MLInference):
    """What image and face inference share. Safe to use from many threads.

    Args:
        embedding_dim: Numbers in a vector; a server whose model has another raises FAILED_PRECONDITION.
        input_size: (height, width) that float arrays must have: the model's own input size, pixels.
        url: The server, see `Connection`.
        model: Name of a model; empty for the server's default one.
        connection: A connection to share instead of `url`.
        timeout: Seconds, see `Connection`.
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

    def infer(self, buffer: Picture, label: str = "") -> Vector:
        """Embeds one picture.

        Args:
            buffer: Bytes of a JPEG, PNG, WebP, GIF, TIFF or AVIF file; an HxWx3 or HxW uint8 array of any size; or an HxWx3 float32 array of
                `input_size`, already in the model's own scale.
            label: The caller's name for it; stands in the log of failures.

        Returns:
            float32 of shape (embedding_dim,); for faces of norm 1.

        Raises:
            EmbeddingsError: with code, reason and field; `InvalidInput`, which is a ValueError too, for bad input.
        """
        try:
            return self._vector(self._unary(buffer))
        except EmbeddingsError as error:
            _log.debug("'%s' failed: %s", label, error)
            raise

    def infer_batch(self, buffers: Mapping[str, Picture]) -> Dict[str, Optional[Vector]]:
        """Embeds many pictures in one stream.

        Args:
            buffers: Pictures by label, each as in `infer`.

        Returns:
            By label, in the same order: float32 of shape (embedding_dim,), or None where that picture failed; the log says why. `infer_stream`
            gives the errors themselves.
        """
        vectors: Dict[str, Optional[Vector]] = {}
        for label, outcome in self.infer_stream(buffers.items()):
            if isinstance(outcome, EmbeddingsError):
                _log.warning("'%s' failed: %s", label, outcome)
                vectors[label] = None
            else:
                vectors[label] = outcome
        return vectors

    def infer_stream(self, items: Iterable[Tuple[str, Picture]]) -> Iterator[Tuple[str, Union[Vector, EmbeddingsError]]]:
        """Embeds a stream of any length: reads `items` as fast as the server takes them, and yields (label, vector or error) in their order.

        A picture that is refused here never goes out and keeps its place. The stream raises only where it fails as a whole.
        """
        # Both are filled while requests are made, on gRPC's thread, and emptied here; what stands in front is what comes next.
        refused: Dict[int, Tuple[str, EmbeddingsError]] = {}
        labels: Dict[int, str] = {}
        count = [0]

        def requests() -> Iterator[embedding_service_pb2.StreamEmbedRequest]:
            for label, buffer in items:
                position = count[0]
                try:
                    request = self._request(buffer)
                except EmbeddingsError as error:
                    refused[position] = (label, error)
                    count[0] += 1
                    continue
                request.item_id = str(position)
                labels[position] = label
                count[0] += 1
                yield request

        position = 0
        for answer in exchange(self._stub.StreamEmbed, requests(), self._connection.timeout):
            # The refused ones before this answer were all noted before its request was made.
            while position in refused:
                yield refused.pop(position)
                position += 1
            label = labels.pop(position)
            position += 1
            yield label, self._outcome(answer)
        while position in refused:
            yield refused.pop(position)
            position += 1

    def _outcome(self, answer: embedding_service_pb2.StreamEmbedResponse) -> Union[Vector, EmbeddingsError]:
        if answer.WhichOneof("result") == "embedding":
            try:
                return self._vector(answer.embedding)
            except EmbeddingsError as error:
                return error
        return from_item(answer.error)

    def _vector(self, embedding: embedding_pb2.Embedding) -> Vector:
        vector = np.array(embedding.values, dtype=np.float32)
        if vector.shape != (self.embedding_dim,):
            message = f"model '{embedding.model}' gives {vector.size} dimensions, {self.embedding_dim} were expected"
            raise EmbeddingsError(grpc.StatusCode.FAILED_PRECONDITION, "DIMENSION_MISMATCH", "embedding_dim", message)
        return vector

    @abstractmethod
    def _unary(self, buffer: Picture) -> embedding_pb2.Embedding:
        """One picture in a call of its own."""

    @abstractmethod
    def _request(self, buffer: Picture) -> embedding_service_pb2.StreamEmbedRequest:
        """One picture as an item of a stream."""


class ImageEmbeddingInference(_RemoteInference):
    """Whole images: 224x224 model input and 512 dimensions by default."""

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

    def _unary(self, buffer: Picture) -> embedding_pb2.Embedding:
        request = embedding_service_pb2.EmbedImageRequest(image=to_image(buffer, self.input_size), model=self.model)
        return self._connection.call(self._stub.EmbedImage, request).embedding

    def _request(self, buffer: Picture) -> embedding_service_pb2.StreamEmbedRequest:
        return embedding_service_pb2.StreamEmbedRequest(image=to_image(buffer, self.input_size), model=self.model)


class FaceEmbeddingInference(_RemoteInference):
    """Aligned face crops: 112x112 model input, 512 dimensions of norm 1 by default."""

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

    def _unary(self, buffer: Picture) -> embedding_pb2.Embedding:
        request = embedding_service_pb2.EmbedFaceRequest(face=to_face(buffer, None, self.input_size), model=self.model)
        return self._connection.call(self._stub.EmbedFace, request).embedding

    def _request(self, buffer: Picture) -> embedding_service_pb2.StreamEmbedRequest:
        return embedding_service_pb2.StreamEmbedRequest(face=to_face(buffer, None, self.input_size), model=self.model)
