"""Vectors that are kept and found again."""

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
        """Stores a vector; replaces the point of that id."""

    @abstractmethod
    def get_vector(self, point_id: str) -> Optional[Dict[str, Any]]:
        """The point ``{id, vector, **payload}``, or None where it is not there."""

    @abstractmethod
    def delete_vector(self, point_id: str) -> bool:
        """Removes a point; whether it was there."""

    @abstractmethod
    def search(
        self, query_vector: VectorLike, limit: int = 5, with_payload: bool = True, score_threshold: Optional[float] = None
    ) -> List[Dict[str, Any]]:
        """The nearest points ``{id, score, **payload}``, best first."""


class _RemoteStore(Connected, StoreInterface):
    """One collection of the server. Safe to use from many threads.

    Args:
        url: The server, see `Connection`.
        collection: Its name; the first vector makes it.
        connection: A connection to share instead of `url`.
        timeout: Seconds, see `Connection`.
    """

    def __init__(self, url: Optional[str], collection: str, connection: Optional[Connection], timeout: float) -> None:
        super().__init__(url, connection, timeout)
        self.collection = collection
        self._stub = vector_store_service_pb2_grpc.VectorStoreServiceStub(self._connection.channel)

    def add_vector(self, point_id: str, vec_f32: VectorLike, payload: Optional[Mapping[str, Any]] = None) -> None:
        """Stores one vector, durably when this returns.

        Args:
            point_id: 1 to 1,024 bytes; a point of that id is replaced.
            vec_f32: float32 of shape (dimension,), finite and not all zero; stored as given.
            payload: Flat dict. `job_id`, `media_store_id`, `face_index`, `bbox`, `confidence` and `landmarks` are fields of their own; everything
                else (what JSON can hold) is stored as attributes. `id`, `score` and `vector` are hidden by the results' own.

        Raises:
            EmbeddingsError: for example DIMENSION_MISMATCH or VECTOR_ZERO; see docs/errors.md.
        """
        point = point_pb2.VectorPoint(point_id=point_id, vector=_floats(vec_f32, "vec_f32"), payload=to_payload(payload))
        self._connection.call(self._stub.UpsertVectors, store_pb2.UpsertVectorsRequest(collection=self.collection, points=[point]))

    def get_vector(self, point_id: str) -> Optional[Dict[str, Any]]:
        """One point: ``{"id": str, "vector": float32 array of shape (dimension,), **payload}``; None where it is not there."""
        try:
            request = store_pb2.GetVectorRequest(collection=self.collection, point_id=point_id)
            point = self._connection.call(self._stub.GetVector, request).point
        except EmbeddingsError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return {**from_payload(point.payload), "id": point.point_id, "vector": np.array(point.vector, dtype=np.float32)}

    def delete_vector(self, point_id: str) -> bool:
        """Removes one point, durably when this returns; False where it was not there."""
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
            query_vector: Of shape (dimension,), finite and not all zero; need not be of unit length.
            limit: 1 to 1,000.
            with_payload: Whether the results carry their payload.
            score_threshold: Only points of this cosine or more, -1 to 1.

        Returns:
            ``{"id": str, "score": float, **payload}``, best first. Empty where the collection is not made yet.
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
        """Points in the collection, exactly; 0 where it is not made yet."""
        try:
            return self._connection.call(self._stub.CountVectors, store_pb2.CountVectorsRequest(collection=self.collection)).count
        except EmbeddingsError as error:
            return len(_none_if_missing(error))


class QdrantImageStore(_RemoteStore):
    """The vectors of whole images, by default those of `image_embeddings`. Whether the server keeps them in Qdrant is its own setting."""

    def __init__(
        self, url: Optional[str] = None, collection: str = "image_embeddings", *, connection: Optional[Connection] = None, timeout: float = 30.0
    ) -> None:
        super().__init__(url, collection, connection, timeout)


class QdrantFaceStore(_RemoteStore):
    """The vectors of faces, by default those of `face_embeddings`. Whether the server keeps them in Qdrant is its own setting."""

    def __init__(
        self, url: Optional[str] = None, collection: str = "face_embeddings", *, connection: Optional[Connection] = None, timeout: float = 30.0
    ) -> None:
        super().__init__(url, collection, connection, timeout)

    def search_by_media_store_id(
        self, query_vector: VectorLike, media_store_id: str, limit: int = 5, score_threshold: Optional[float] = None
    ) -> List[Dict[str, Any]]:
        """As `search`, among the faces of one media item."""
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
        """Removes all faces of a job, durably when this returns; how many there were."""
        try:
            request = store_pb2.DeleteByJobIdRequest(job_id=job_id, collection=self.collection)
            return self._connection.call(self._stub.DeleteByJobId, request).deleted_count
        except EmbeddingsError as error:
            return len(_none_if_missing(error))


#: The same under names that promise no particular database.
ImageStore = QdrantImageStore
FaceStore = QdrantFaceStore


def _query(vector: VectorLike) -> store_pb2.SearchQuery:
    return store_pb2.SearchQuery(vector=store_pb2.QueryVector(values=_floats(vector, "query_vector")))


def _found(result: store_pb2.SearchResult) -> List[Dict[str, Any]]:
    return [{**from_payload(scored.point.payload), "id": scored.point.point_id, "score": scored.score} for scored in result.points]


def _none_if_missing(error: EmbeddingsError) -> List[Dict[str, Any]]:
    """A collection that nothing was written to yet is an empty one."""
    if error.reason == "COLLECTION_NOT_FOUND":
        return []
    raise error


def _limit(limit: int) -> int:
    # On the wire 0 stands for the server's own default, which is not what a caller who says 0 means.
    if not 1 <= limit <= 1000:
        raise InvalidInput("FIELD_INVALID", "limit", f"limit must be 1 to 1,000, not {limit}")
    return limit


def _floats(vector: VectorLike, field: str) -> NDArray[Any]:
    try:
        array = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"a vector is an array of numbers: {error}") from None
    if array.ndim != 1:
        raise InvalidInput("DIMENSION_MISMATCH", field, f"a vector has shape (dimension,), not {array.shape}")
    return array
