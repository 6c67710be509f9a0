"""Collections with their settings, and their aliases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from google.protobuf import duration_pb2  # type: ignore[import]

from .connection import Connected, Connection
from .errors import InvalidInput
from .stubs.embeddings.v1 import vector_store_service_pb2 as store_pb2, vector_store_service_pb2_grpc

#: Path of an attribute: the name of a top-level field, or the names of nested fields from the outermost to the innermost.
PathLike = Union[str, Sequence[str]]

#: Attributes to index: their paths, each with the type ``text``, ``number``, ``flag``, or ``time``.
IndexedLike = Union[Mapping[str, str], Sequence[Tuple[PathLike, str]]]

_TYPES = {
    "text": store_pb2.ATTRIBUTE_TYPE_TEXT,
    "number": store_pb2.ATTRIBUTE_TYPE_NUMBER,
    "flag": store_pb2.ATTRIBUTE_TYPE_FLAG,
    "time": store_pb2.ATTRIBUTE_TYPE_TIME,
}


@dataclass(frozen=True)
class CollectionInfo:
    """A collection.

    Attributes:
        name: Name of the collection.
        dimension: Number of dimensions of each vector.
        point_count: Number of points.
        model: Name of the model that fills it, or empty.
        indexed: Indexed attributes: path and type.
        retention: Time after which points are deleted, or None.
        aliases: Aliases, sorted. Only of `Collections.get`.
    """

    name: str
    dimension: int
    point_count: int
    model: str
    indexed: List[Tuple[Tuple[str, ...], str]]
    retention: Optional[timedelta]
    aliases: List[str]


class Collections(Connected):
    """Creates, describes, changes, and deletes collections, and manages their aliases. Thread-safe.

    Args:
        url: URL of the server; see `Connection`.
        connection: Connection to share, used instead of `url`.
        timeout: Timeout in seconds; see `Connection`.
    """

    def __init__(self, url: Optional[str] = None, *, connection: Optional[Connection] = None, timeout: float = 30.0) -> None:
        super().__init__(url, connection, timeout)
        self._stub = vector_store_service_pb2_grpc.VectorStoreServiceStub(self._connection.channel)

    def create(
        self,
        name: str,
        *,
        dimension: int = 0,
        model: str = "",
        indexed: Optional[IndexedLike] = None,
        retention: Optional[timedelta] = None,
    ) -> CollectionInfo:
        """Creates a collection. Collections are also created by the first write.

        Args:
            name: Name of the collection.
            dimension: Number of dimensions of each vector. Exactly one of `dimension` and `model` must be given.
            model: Name of the server's model that fills it.
            indexed: Attributes to index, at most 16.
            retention: Time after which the server deletes points, in whole seconds. If None, the server's setting applies.

        Raises:
            EmbeddingsError: If the call fails, for example with ALREADY_EXISTS if a collection or an alias has the name.
        """
        settings = store_pb2.CollectionSettings(indexed_attributes=_indexed(indexed), retention=_duration(retention))
        request = store_pb2.CreateCollectionRequest(collection=name, dimension=dimension, model=model, settings=settings)
        return _info(self._connection.call(self._stub.CreateCollection, request).collection)

    def get(self, name: str) -> CollectionInfo:
        """Returns a collection by its name or alias, with its settings and aliases.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if it does not exist.
        """
        return _info(self._connection.call(self._stub.GetCollection, store_pb2.GetCollectionRequest(collection=name)).collection)

    def update(
        self,
        name: str,
        *,
        index: Optional[IndexedLike] = None,
        drop_index: Optional[IndexedLike] = None,
        retention: Optional[timedelta] = None,
    ) -> CollectionInfo:
        """Changes settings of a collection; those that are not given stay as they are.

        Args:
            name: Name or alias of the collection.
            index: Attributes to index.
            drop_index: Attributes whose index is removed.
            retention: New retention; 0 removes it.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if it does not exist.
        """
        request = store_pb2.UpdateCollectionRequest(
            collection=name,
            add_indexed_attributes=_indexed(index),
            remove_indexed_attributes=_indexed(drop_index),
            retention=_duration(retention),
        )
        return _info(self._connection.call(self._stub.UpdateCollection, request).collection)

    def list(self, page_size: int = 100) -> Iterator[CollectionInfo]:
        """Yields the collections, sorted by name, page by page.

        Args:
            page_size: Number of collections in a page, 1 to 1,000. Default: 100.
        """
        request = store_pb2.ListCollectionsRequest(page_size=page_size)
        while True:
            page = self._connection.call(self._stub.ListCollections, request)
            for collection in page.collections:
                yield _info(collection)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def delete(self, name: str) -> int:
        """Deletes a collection with all its points, durably, and returns their number. Points on legal hold are kept."""
        return self._connection.call(self._stub.DeleteCollection, store_pb2.DeleteCollectionRequest(collection=name)).deleted_count

    def aliases(self, page_size: int = 100) -> Dict[str, str]:
        """Returns the collections of all aliases, by the aliases."""
        found: Dict[str, str] = {}
        request = store_pb2.ListAliasesRequest(page_size=page_size)
        while True:
            page = self._connection.call(self._stub.ListAliases, request)
            found.update({alias.alias: alias.collection for alias in page.aliases})
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def update_aliases(self, set: Optional[Mapping[str, str]] = None, delete: Sequence[str] = ()) -> None:
        """Creates, moves, and deletes aliases in one step: other calls see all changes or none.

        Args:
            set: Collections by the aliases to create or to move.
            delete: Aliases to delete.

        Raises:
            EmbeddingsError: If the call fails, for example with NOT_FOUND if a collection or an alias to delete does not exist, or
                ALREADY_EXISTS if a collection has the name of an alias to set.
        """
        changes = [store_pb2.Alias(alias=alias, collection=collection) for alias, collection in (set or {}).items()]
        self._connection.call(self._stub.UpdateAliases, store_pb2.UpdateAliasesRequest(set=changes, delete=delete))


def to_path(path: PathLike) -> store_pb2.AttributePath:
    """Converts the path of an attribute."""
    return store_pb2.AttributePath(names=[path] if isinstance(path, str) else list(path))


def _indexed(attributes: Optional[IndexedLike]) -> List[store_pb2.IndexedAttribute]:
    pairs: Iterable[Tuple[PathLike, str]] = attributes.items() if isinstance(attributes, Mapping) else attributes or ()
    made = []
    for path, kind in pairs:
        if kind not in _TYPES:
            raise InvalidInput("FIELD_INVALID", "indexed", f"the type of an attribute must be one of {', '.join(_TYPES)}; got {kind!r}.")
        made.append(store_pb2.IndexedAttribute(path=to_path(path), type=_TYPES[kind]))
    return made


def _duration(time: Optional[timedelta]) -> Optional[duration_pb2.Duration]:
    if time is None:
        return None
    duration = duration_pb2.Duration()
    duration.FromTimedelta(time)
    return duration


def _info(collection: store_pb2.Collection) -> CollectionInfo:
    names = {number: name for name, number in _TYPES.items()}
    settings = collection.settings
    return CollectionInfo(
        collection.name,
        collection.dimension,
        collection.point_count,
        collection.model,
        [(tuple(attribute.path.names), names.get(attribute.type, "")) for attribute in settings.indexed_attributes],
        settings.retention.ToTimedelta() if settings.HasField("retention") else None,
        list(collection.aliases),
    )
