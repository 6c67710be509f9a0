"""Storing and searching vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import grpc
import numpy as np
from numpy.typing import NDArray

from .connection import Connected, Connection
from .errors import EmbeddingsError, InvalidInput
from .payloads import from_payload, to_payload
from .stubs.embeddings.v1 import point_pb2, vector_store_service_pb2 as store_pb2, vector_store_service_pb2_grpc

VectorLike = Union[NDArray[Any], Sequence[float]]


class StoreInterface(ABC):
    """A collection of vectors with payloads."""

    @abstractmethod
    def add_vector(self, point_id: str, vec_f32: VectorLike, payload: Optional[Mapping[str, Any]] = None) -> None:
        """Stores a vector. An existing point with the same id is replaced."""

    @abstractmethod
    def get_vector(self, point_id: str) -> Optional[Dict[str, Any]]:
        """Returns the point ``{id, vector, **payload}``, or None if it does not exist."""

    @abstractmethod
    def delete_vector(self, point_id: str) -> bool:
        """Deletes a point and returns whether it existed."""

    @abstractmethod
    def search(
        self, query_vector: VectorLike, limit: int = 5, with_payload: bool = True, score_threshold: Optional[float] = None
    ) -> List[Dict[str, Any]]:
        """Returns the nearest points ``{id, score, **payload}``, best first."""


class _RemoteStore(Connected, StoreInterface):
    """A collection on the server. Thread-safe.

    Args:
        url: URL of the server; see `Connection`.
        collection: Name of the collection. It is created when the first vector is added.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(self, url: Optional[str], collection: str, connection: Optional[Connection], timeout: float) -> None:
        super().__init__(url, connection, timeout)
        self.collection = collection
        self._stub = vector_store_service_pb2_grpc.VectorStoreServiceStub(self._connection.channel)

    def add_vector(self, point_id: str, vec_f32: VectorLike, payload: Optional[Mapping[str, Any]] = None) -> None:
        """Stores one vector and returns once it is durable.

        Args:
            point_id: Id of the point, 1 to 1,024 bytes. An existing point with this id is replaced.
            vec_f32: float32 array of shape (dimension,). All values must be finite, and not all may be 0.
            payload: Flat dict with the fields `job_id`, `media_store_id`, `face_index`, `bbox`, `confidence`, and
                `landmarks`. All other keys must have JSON values and are stored as attributes. Do not use the keys `id`,
                `score`, and `vector`: results overwrite them.

        Raises:
            EmbeddingsError: For example with the reason DIMENSION_MISMATCH or VECTOR_ZERO; see docs/errors.md.
        """
        point = point_pb2.VectorPoint(point_id=point_id, vector=_floats(vec_f32, "vec_f32"), payload=to_payload(payload))
        self._connection.call(self._stub.UpsertVectors, store_pb2.UpsertVectorsRequest(collection=self.collection, points=[point]))

    def get_vector(self, point_id: str) -> Optional[Dict[str, Any]]:
        """Returns one point, or None if it does not exist.

        Returns:
            ``{"id": str, "vector": float32 array of shape (dimension,), **payload}``
        """
        try:
            request = store_pb2.GetVectorRequest(collection=self.collection, point_id=point_id)
            point = self._connection.call(self._stub.GetVector, request).point
        except EmbeddingsError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return {**from_payload(point.payload), "id": point.point_id, "vector": np.array(point.vector, dtype=np.float32)}

    def delete_vector(self, point_id: str) -> bool:
        """Deletes one point and returns once the deletion is durable. Returns False if the point did not exist."""
        try:
            request = store_pb2.DeleteVectorsRequest(collection=self.collection, point_ids=[point_id])
            return self._connection.call(self._stub.DeleteVectors, request).deleted_count > 0
        except EmbeddingsError as error:
            if error.reason == "COLLECTION_NOT_FOUND":
                return False
            raise

    def search(
        self, query_vector: VectorLike, limit: int = 5, with_payload: bool = True, score_threshold: Optional[float] = None
    ) -> List[Dict[str, Any]]:
        """Finds the nearest points by cosine similarity.

        Args:
            query_vector: Array of shape (dimension,). All values must be finite, and not all may be 0. Unit length is not
                required.
            limit: Maximum number of points to return, 1 to 1,000.
            with_payload: Whether the results include the payload.
            score_threshold: Minimum cosine similarity, -1 to 1. If None, there is no minimum.

        Returns:
            ``{"id": str, "score": float, **payload}``, best first. Empty if the collection does not exist yet.
        """
        request = store_pb2.SearchVectorsRequest(
            collection=self.collection,
            queries=[_query(query_vector)],
            limit=_limit(limit),
            score_threshold=score_threshold,
            with_payload=with_payload,
        )
        try:
            return _found(self._connection.call(self._stub.SearchVectors, request).results[0])
        except EmbeddingsError as error:
            return _none_if_missing(error)

    def count(self) -> int:
        """Returns the exact number of points, or 0 if the collection does not exist yet."""
        try:
            return self._connection.call(self._stub.CountVectors, store_pb2.CountVectorsRequest(collection=self.collection)).count
        except EmbeddingsError as error:
            return len(_none_if_missing(error))


class QdrantImageStore(_RemoteStore):
    """Vectors of whole images, by default in `image_embeddings`.

    The server's configuration determines whether they are stored in Qdrant.
    """

    def __init__(
        self, url: Optional[str] = None, collection: str = "image_embeddings", *, connection: Optional[Connection] = None, timeout: float = 30.0
    ) -> None:
        super().__init__(url, collection, connection, timeout)


class QdrantFaceStore(_RemoteStore):
    """Vectors of faces, by default in `face_embeddings`.

    The server's configuration determines whether they are stored in Qdrant.
    """

    def __init__(
        self, url: Optional[str] = None, collection: str = "face_embeddings", *, connection: Optional[Connection] = None, timeout: float = 30.0
    ) -> None:
        super().__init__(url, collection, connection, timeout)

    def search_by_media_store_id(
        self, query_vector: VectorLike, media_store_id: str, limit: int = 5, score_threshold: Optional[float] = None
    ) -> List[Dict[str, Any]]:
        """Finds the nearest points among the faces of one media item; see `search`."""
        request = store_pb2.SearchByMediaStoreIdRequest(
            collection=self.collection,
            media_store_id=media_store_id,
            query=_query(query_vector),
            limit=_limit(limit),
            score_threshold=score_threshold,
        )
        try:
            return _found(self._connection.call(self._stub.SearchByMediaStoreId, request).result)
        except EmbeddingsError as error:
            return _none_if_missing(error)

    def delete_by_job_id(self, job_id: str) -> int:
        """Deletes all faces of a job durably and returns how many were deleted."""
        try:
            request = store_pb2.DeleteByJobIdRequest(job_id=job_id, collection=self.collection)
            return self._connection.call(self._stub.DeleteByJobId, request).deleted_count
        except EmbeddingsError as error:
            return len(_none_if_missing(error))


#: Aliases whose names do not imply a particular database.
ImageStore = QdrantImageStore
FaceStore = QdrantFaceStore


def _query(vector: VectorLike) -> store_pb2.SearchQuery:
    return store_pb2.SearchQuery(vector=store_pb2.QueryVector(values=_floats(vector, "query_vector")))


def _found(result: store_pb2.SearchResult) -> List[Dict[str, Any]]:
    return [{**from_payload(scored.point.payload), "id": scored.point.point_id, "score": scored.score} for scored in result.points]


def _none_if_missing(error: EmbeddingsError) -> List[Dict[str, Any]]:
    """Treats a collection that does not exist yet as empty; re-raises other errors."""
    if error.reason == "COLLECTION_NOT_FOUND":
        return []
    raise error


def _limit(limit: int) -> int:
    # In the contract, 0 selects the server's default. A caller who passes 0 does not expect that.
    if not 1 <= limit <= 1000:
        raise InvalidInput("FIELD_INVALID", "limit", f"limit must be between 1 and 1000; got {limit}.")
    return limit


def _floats(vector: VectorLike, field: str) -> NDArray[Any]:
    try:
        array = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"{field} must be an array of numbers: {error}") from None
    if array.ndim != 1:
        raise InvalidInput("DIMENSION_MISMATCH", field, f"{field} must have shape (dimension,); got {array.shape}.")
    return array
