"""Storing and searching vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import grpc  # type: ignore[import]

from .administration import PathLike, to_path
from .connection import Connected, Connection
from .errors import EmbeddingsError, InvalidInput, from_item
from .payloads import FilterLike, from_payload, to_filter, to_payload, to_struct
from .streams import exchange
from .stubs.embeddings.v1 import point_pb2, vector_store_service_pb2 as store_pb2, vector_store_service_pb2_grpc
from .vectors import VectorLike, from_point, to_point, to_query

#: A point to store: an id and a vector, and optionally a payload.
PointLike = Union[Tuple[str, VectorLike], Tuple[str, VectorLike, Optional[Mapping[str, Any]]]]

# Maximum number of ids in one deletion, and of points in one read.
_IDS = 10_000
_READ = 1_000

_GROUP_FIELDS = {
    "media_store_id": store_pb2.GROUP_FIELD_MEDIA_STORE_ID,
    "job_id": store_pb2.GROUP_FIELD_JOB_ID,
    "person": store_pb2.GROUP_FIELD_PERSON,
}


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
        self,
        query_vector: VectorLike,
        limit: int = 5,
        with_payload: bool = True,
        score_threshold: Optional[float] = None,
        filter: Optional[FilterLike] = None,
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
            vec_f32: float32 array of shape (dimension,), or a sequence of numbers. All values must be finite, and not all may
                be 0.
            payload: Flat dict with the fields `job_id`, `media_store_id`, `face_index`, `bbox`, `confidence`, and
                `landmarks`. All other keys must have JSON values and are stored as attributes. Do not use the keys `id`,
                `score`, and `vector`: results overwrite them.

        Raises:
            EmbeddingsError: For example with the reason DIMENSION_MISMATCH or VECTOR_ZERO; see docs/errors.md.
        """
        point = self._point(point_id, vec_f32, payload, "vec_f32")
        self._connection.call(self._stub.UpsertVectors, store_pb2.UpsertVectorsRequest(collection=self.collection, points=[point]))

    def add_vectors(
        self, points: Iterable[PointLike], *, model: str = "", on_error: Optional[Callable[[str, EmbeddingsError], None]] = None
    ) -> int:
        """Stores any number of vectors in one stream and returns once all are durable.

        `points` is read only as fast as the server accepts them. If the connection breaks, the client reconnects and resends
        the points that are not confirmed; points are replaced by id, so none is stored twice.

        Args:
            points: Tuples (point_id, vector) or (point_id, vector, payload), each as in `add_vector`.
            model: Name of the server's model that produced the vectors, which must be the one that fills the collection. If
                empty, only the dimension is checked. Default: empty.
            on_error: Called with the id and the error of each point that is not stored. If None, the first such error is
                raised, and points that follow may or may not be stored.

        Returns:
            Number of points stored.

        Raises:
            EmbeddingsError: If a point is not stored and `on_error` is None, or if the whole stream fails.
        """
        ids: Dict[str, str] = {}
        rejected: List[Tuple[str, EmbeddingsError]] = []

        def requests() -> Iterator[store_pb2.StreamUpsertVectorsRequest]:
            for position, (point_id, vector, *payload) in enumerate(points):
                try:
                    point = self._point(point_id, vector, payload[0] if payload else None, "vector")
                except EmbeddingsError as error:
                    rejected.append((point_id, error))
                    if on_error is None:
                        return
                    continue
                ids[str(position)] = point_id
                yield store_pb2.StreamUpsertVectorsRequest(
                    item_id=str(position), collection=self.collection, point=point, model=model
                )

        def report(point_id: str, error: EmbeddingsError) -> None:
            if on_error is None:
                raise error
            on_error(point_id, error)

        stored = 0
        for answer in exchange(self._stub.StreamUpsertVectors, requests(), self._connection.timeout, self._connection.streams):
            point_id = ids.pop(answer.item_id)
            if answer.HasField("error"):
                report(point_id, from_item(answer.error))
            else:
                stored += 1
        for point_id, rejection in rejected:
            report(point_id, rejection)
        return stored

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
        return {**from_payload(point.payload), "id": point.point_id, "vector": from_point(point)}

    def get_vectors(self, point_ids: Iterable[str], *, with_vectors: bool = True) -> Dict[str, Dict[str, Any]]:
        """Returns the points that exist, by their ids.

        Args:
            point_ids: Any number of ids, each 1 to 1,024 bytes.
            with_vectors: Whether the points include their vectors. Default: True.

        Returns:
            ``{"id": str, **payload}`` for each id, with ``"vector": float32 array of shape (dimension,)`` if requested. Empty if the
            collection does not exist yet.
        """
        found: Dict[str, Dict[str, Any]] = {}
        ids = iter(point_ids)
        while batch := list(islice(ids, _READ)):
            request = store_pb2.GetVectorsRequest(
                collection=self.collection, point_ids=batch, with_vectors=with_vectors, vectors_as_bytes=with_vectors
            )
            try:
                points = self._connection.call(self._stub.GetVectors, request).points
            except EmbeddingsError as error:
                _none_if_missing(error)
                return found
            for point in points:
                values = {**from_payload(point.payload), "id": point.point_id}
                found[point.point_id] = {**values, "vector": from_point(point)} if with_vectors else values
        return found

    def set_attributes(
        self,
        point_ids: Union[str, Iterable[str], None] = None,
        attributes: Optional[Mapping[str, Any]] = None,
        *,
        filter: Optional[FilterLike] = None,
        remove: Iterable[str] = (),
        replace: bool = False,
    ) -> int:
        """Changes attributes of existing points and returns once that is durable. Vectors and other fields stay as they are.

        Args:
            point_ids: An id or at most 10,000 ids, all of which must exist.
            attributes: Attributes to set; those that are not named stay as they are, unless `replace` is set.
            filter: Conditions as in `search`, at least one. Cannot be combined with `point_ids`.
            remove: Names of attributes to remove.
            replace: Whether `attributes` replaces all attributes. Default: False.

        Returns:
            Number of points that were selected.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if a point does not exist. `InvalidInput` unless exactly one
                of `point_ids` and `filter` is given.
        """
        if (point_ids is None) == (filter is None):
            raise InvalidInput("FIELD_INVALID", "filter", "Exactly one of point_ids and filter must be given.")
        request = store_pb2.SetAttributesRequest(
            collection=self.collection,
            point_ids=[point_ids] if isinstance(point_ids, str) else point_ids,
            filter=to_filter(filter),
            attributes=None if attributes is None else to_struct(attributes, "attributes"),
            remove_keys=remove,
            replace=replace,
        )
        return self._connection.call(self._stub.SetAttributes, request).matched_count

    def delete_vector(self, point_id: str) -> bool:
        """Deletes one point and returns once the deletion is durable. Returns False if the point did not exist."""
        return self._delete(store_pb2.DeleteVectorsRequest(collection=self.collection, point_ids=[point_id])) > 0

    def delete(self, point_ids: Union[str, Iterable[str], None] = None, *, filter: Optional[FilterLike] = None) -> int:
        """Deletes points by id or by filter and returns once the deletion is durable.

        Args:
            point_ids: An id or any number of ids, each 1 to 1,024 bytes. Ids that do not exist are ignored.
            filter: Conditions as in `search`, at least one. Cannot be combined with `point_ids`.

        Returns:
            Number of points deleted. 0 if the collection does not exist yet.

        Raises:
            EmbeddingsError: If the call fails. `InvalidInput` unless exactly one of `point_ids` and `filter` is given.
        """
        if (point_ids is None) == (filter is None):
            raise InvalidInput("FIELD_INVALID", "filter", "Exactly one of point_ids and filter must be given.")
        if filter is not None:
            if not filter:
                message = "filter must have at least one condition; without conditions, it would match all points."
                raise InvalidInput("FIELD_REQUIRED", "filter", message)
            return self._delete(store_pb2.DeleteVectorsRequest(collection=self.collection, filter=to_filter(filter)))
        ids = iter([point_ids] if isinstance(point_ids, str) else point_ids or ())
        deleted = 0
        while batch := list(islice(ids, _IDS)):
            deleted += self._delete(store_pb2.DeleteVectorsRequest(collection=self.collection, point_ids=batch))
        return deleted

    def search(
        self,
        query_vector: VectorLike,
        limit: int = 5,
        with_payload: bool = True,
        score_threshold: Optional[float] = None,
        filter: Optional[FilterLike] = None,
        *,
        offset: int = 0,
        group_by: Union[str, Sequence[str], None] = None,
        group_size: int = 1,
        exact: Optional[bool] = None,
    ) -> List[Dict[str, Any]]:
        """Finds the nearest points by cosine similarity.

        Args:
            query_vector: Array of shape (dimension,), or a sequence of numbers. All values must be finite, and not all may be
                0. Unit length is not required.
            limit: Maximum number of points, or groups, to return, 1 to 1,000. Default: 5.
            with_payload: Whether the results include the payload. Default: True.
            score_threshold: Minimum cosine similarity, -1 to 1. If None, there is no minimum.
            filter: Conditions that must all hold, as a flat dict like a payload: ``job_id``, ``media_store_id``, and
                ``face_index`` are equal to the value; ``confidence`` is in a range; every other key names an attribute that
                equals the string, number, or bool, or is in the range. A range is a dict with at least one of ``gt``,
                ``gte``, ``lt``, and ``lte``; ``{"exists": bool}`` selects points with or without the attribute. At most 16
                attributes. If None, all points are searched.
            offset: Number of best points, or groups, to skip, 0 to 10,000. Default: 0.
            group_by: ``"media_store_id"``, ``"job_id"``, ``"person"``, or a sequence with the name of an attribute, or with the
                names of nested ones from the outermost to the innermost. Only the best points of each group are returned.
                If None, the points are not grouped.
            group_size: Maximum number of points per group, 1 to 100. Default: 1.
            exact: Whether to compare with every vector (True) or to use an approximate index (False). If None, what the store
                does by default.

        Returns:
            ``{"id": str, "score": float, **payload}``, best first. Empty if the collection does not exist yet. If the threshold
            of the collection's face model is known, ``same_person`` says whether the score reaches it.

        Raises:
            EmbeddingsError: If the call fails. Invalid input raises `InvalidInput`, which is also a ValueError.
        """
        query = self._query(query_vector)
        return self._search(query, limit, with_payload, score_threshold, filter, offset, group_by, group_size, exact)

    def search_examples(
        self,
        positive: Sequence[Union[str, VectorLike]],
        negative: Sequence[Union[str, VectorLike]] = (),
        limit: int = 5,
        with_payload: bool = True,
        score_threshold: Optional[float] = None,
        filter: Optional[FilterLike] = None,
        *,
        offset: int = 0,
        group_by: Union[str, Sequence[str], None] = None,
        group_size: int = 1,
        exact: Optional[bool] = None,
    ) -> List[Dict[str, Any]]:
        """Finds the points that resemble some examples and do not resemble others; see `search`.

        Args:
            positive: Ids of stored points, which are excluded from the results, or vectors: 1 to 64.
            negative: Examples that the results should not resemble: at most 64.

        Returns:
            As `search`. The score is the cosine similarity to the mean of the positive examples minus that of the negative ones.

        Raises:
            EmbeddingsError: If the call fails, for example with the reason VECTOR_ZERO if the examples cancel each other out.
        """
        examples = store_pb2.ExampleQuery(
            positive=[self._example(example) for example in positive],
            negative=[self._example(example) for example in negative],
        )
        query = store_pb2.SearchQuery(examples=examples)
        return self._search(query, limit, with_payload, score_threshold, filter, offset, group_by, group_size, exact)

    def count(self, filter: Optional[FilterLike] = None) -> int:
        """Returns the exact number of points that match a filter as in `search`, or of all points if it is None.

        0 if the collection does not exist yet.
        """
        try:
            request = store_pb2.CountVectorsRequest(collection=self.collection, filter=to_filter(filter))
            return self._connection.call(self._stub.CountVectors, request).count
        except EmbeddingsError as error:
            return len(_none_if_missing(error))

    def list(
        self,
        filter: Optional[FilterLike] = None,
        *,
        with_vectors: bool = False,
        page_size: int = 100,
        order_by: Optional[PathLike] = None,
        descending: bool = False,
    ) -> Iterator[Dict[str, Any]]:
        """Yields all points that match a filter, each once. Reads one page at a time.

        Args:
            filter: Conditions as in `search`. If None, all points are yielded.
            with_vectors: Whether the points include their vectors. Default: False.
            page_size: Number of points per call, 1 to 1,000. Default: 100.
            order_by: ``point_id`` (not in Qdrant), ``stored_at``, ``confidence``, or the path of an indexed attribute of the type number or
                time. Points without the field come last. If None, the order is defined by the store. Default: None.
            descending: Whether the order is descending. Default: False.

        Returns:
            An iterator over ``{"id": str, **payload}``, with ``"vector": float32 array of shape (dimension,)`` if requested.
            Empty if the collection does not exist yet.

        Raises:
            EmbeddingsError: If a call fails. Invalid input raises `InvalidInput`, which is also a ValueError.
        """
        request = store_pb2.ListVectorsRequest(
            collection=self.collection,
            filter=to_filter(filter),
            page_size=_limit(page_size, "page_size"),
            with_vectors=with_vectors,
            vectors_as_bytes=with_vectors,
            order_by=_order(order_by, descending),
        )
        return self._pages(request)

    def _pages(self, request: store_pb2.ListVectorsRequest) -> Iterator[Dict[str, Any]]:
        while True:
            try:
                page = self._connection.call(self._stub.ListVectors, request)
            except EmbeddingsError as error:
                _none_if_missing(error)
                return
            for point in page.points:
                found = {**from_payload(point.payload), "id": point.point_id}
                yield {**found, "vector": from_point(point)} if request.with_vectors else found
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _point(self, point_id: str, vector: VectorLike, payload: Optional[Mapping[str, Any]], field: str) -> point_pb2.VectorPoint:
        point = point_pb2.VectorPoint(point_id=point_id, payload=to_payload(payload))
        return to_point(point, vector, field, self._connection.streams.is_batching)

    def _query(self, vector: VectorLike) -> store_pb2.SearchQuery:
        return store_pb2.SearchQuery(vector=to_query(vector, "query_vector", self._connection.streams.is_batching))

    def _example(self, example: Union[str, VectorLike]) -> store_pb2.Example:
        if isinstance(example, str):
            return store_pb2.Example(point_id=example)
        return store_pb2.Example(vector=to_query(example, "example", self._connection.streams.is_batching))

    def _search(
        self,
        query: store_pb2.SearchQuery,
        limit: int,
        with_payload: bool,
        score_threshold: Optional[float],
        filter: Optional[FilterLike],
        offset: int,
        group_by: Union[str, Sequence[str], None],
        group_size: int,
        exact: Optional[bool],
    ) -> List[Dict[str, Any]]:
        request = store_pb2.SearchVectorsRequest(
            collection=self.collection,
            queries=[query],
            limit=_limit(limit),
            offset=offset,
            score_threshold=score_threshold,
            with_payload=with_payload,
            filter=to_filter(filter),
            group_by=_group_by(group_by, group_size),
            params=None if exact is None else store_pb2.SearchParams(exact=exact),
        )
        try:
            return _found(self._connection.call(self._stub.SearchVectors, request).results[0])
        except EmbeddingsError as error:
            return _none_if_missing(error)

    def _delete(self, request: store_pb2.DeleteVectorsRequest) -> int:
        try:
            return self._connection.call(self._stub.DeleteVectors, request).deleted_count
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
            query=self._query(query_vector),
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


def _found(result: store_pb2.SearchResult) -> List[Dict[str, Any]]:
    found: List[Dict[str, Any]] = []
    for scored in result.points:
        point = {**from_payload(scored.point.payload), "id": scored.point.point_id, "score": scored.score}
        found.append({**point, "same_person": scored.same_person} if scored.HasField("same_person") else point)
    return found


def _group_by(group_by: Union[str, Sequence[str], None], group_size: int) -> Optional[store_pb2.GroupBy]:
    # In the contract, 0 selects the server's default. A caller who passes 0 does not expect that.
    if not 1 <= group_size <= 100:
        raise InvalidInput("FIELD_INVALID", "group_size", f"group_size must be between 1 and 100; got {group_size}.")
    if group_by is None:
        return None
    if not isinstance(group_by, str):
        path = store_pb2.AttributePath(names=group_by)
        return store_pb2.GroupBy(field=store_pb2.GROUP_FIELD_ATTRIBUTE, attribute=path, group_size=group_size)
    if group_by not in _GROUP_FIELDS:
        fields = ", ".join(sorted(_GROUP_FIELDS))
        message = f"group_by must be one of {fields}, or a sequence of names of an attribute; got {group_by!r}."
        raise InvalidInput("FIELD_INVALID", "group_by", message)
    return store_pb2.GroupBy(field=_GROUP_FIELDS[group_by], group_size=group_size)


def _none_if_missing(error: EmbeddingsError) -> List[Dict[str, Any]]:
    """Treats a collection that does not exist yet as empty; re-raises other errors."""
    if error.reason == "COLLECTION_NOT_FOUND":
        return []
    raise error


def _order(field: Optional[PathLike], descending: bool) -> Optional[store_pb2.OrderBy]:
    if field is None:
        return None
    order = store_pb2.OrderBy(descending=descending)
    if field in ("point_id", "stored_at", "confidence"):
        setattr(order, str(field), True)
    else:
        order.attribute.CopyFrom(to_path(field))
    return order


def _limit(limit: int, field: str = "limit") -> int:
    # In the contract, 0 selects the server's default. A caller who passes 0 does not expect that.
    if not 1 <= limit <= 1000:
        raise InvalidInput("FIELD_INVALID", field, f"{field} must be between 1 and 1000; got {limit}.")
    return limit
