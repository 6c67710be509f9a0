import unittest
from datetime import timedelta

import numpy as np

from embeddings_client import Collections, EmbeddingsError, InvalidInput, QdrantFaceStore

from .server import needs_server, unique


@needs_server
class CollectionsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.collections = Collections()
        self.addCleanup(self.collections.close)
        self.name = unique("test_collection")

    def store(self, name: str) -> QdrantFaceStore:
        store = QdrantFaceStore(collection=name)
        self.addCleanup(store.close)
        return store

    def test_collections_have_settings(self) -> None:
        created = self.collections.create(self.name, dimension=8, indexed={"year": "number"}, retention=timedelta(days=3))
        self.addCleanup(self.collections.delete, self.name)
        self.assertEqual((created.name, created.dimension, created.point_count), (self.name, 8, 0))
        self.assertEqual(created.indexed, [(("year",), "number")])
        changed = self.collections.update(self.name, drop_index={"year": "number"}, retention=timedelta(0))
        self.assertEqual((changed.indexed, changed.retention), ([], None))
        self.assertEqual(changed, self.collections.get(self.name))
        self.assertIn(self.name, [info.name for info in self.collections.list()])
        with self.assertRaises(EmbeddingsError) as raised:
            self.collections.create(self.name, dimension=8)
        self.assertEqual(raised.exception.reason, "COLLECTION_EXISTS")
        with self.assertRaises(InvalidInput):
            self.collections.update(self.name, index={"year": "integer"})

    def test_aliases_move_at_once(self) -> None:
        names = [f"{self.name}-{version}" for version in (1, 2)]
        alias = f"{self.name}-alias"
        for count, name in enumerate(names, 1):
            self.collections.create(name, dimension=4)
            self.addCleanup(self.collections.delete, name)
            self.store(name).add_vectors((f"p{i}", np.ones(4, np.float32)) for i in range(count))
        self.collections.update_aliases({alias: names[0]})
        self.assertEqual(self.store(alias).count(), 1)
        self.collections.update_aliases({alias: names[1]})
        self.assertEqual(self.store(alias).count(), 2)
        self.assertEqual(self.collections.get(alias).aliases, [alias])
        self.assertEqual(self.collections.aliases()[alias], names[1])
        self.collections.update_aliases(delete=[alias])
        self.assertNotIn(alias, self.collections.aliases())

    def test_points_are_read_and_changed_together(self) -> None:
        store = self.store(self.name)
        store.add_vectors((f"p{i}", np.full(4, i + 1, np.float32), {"confidence": i / 10, "tag": "a"}) for i in range(5))
        self.addCleanup(self.collections.delete, self.name)
        found = store.get_vectors(["p3", "none", "p1"])
        self.assertEqual(list(found), ["p3", "p1"])
        np.testing.assert_array_equal(found["p3"]["vector"], np.full(4, 4, np.float32))
        self.assertEqual(store.set_attributes("p1", {"n": 1}, remove=["tag"]), 1)
        self.assertEqual(store.set_attributes(filter={"tag": "a"}, attributes={"n": 2}), 4)
        self.assertEqual([point["n"] for point in store.get_vectors(["p0", "p1"], with_vectors=False).values()], [2, 1])
        self.assertNotIn("tag", store.get_vector("p1"))
        listed = [point["id"] for point in store.list(order_by="confidence", descending=True, page_size=2)]
        self.assertEqual(listed, ["p4", "p3", "p2", "p1", "p0"])
