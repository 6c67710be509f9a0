"""Stores, searches, reads, and deletes vectors in a separate collection."""

import numpy as np

from embeddings_client import QdrantImageStore


def main() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((5, 512)).astype(np.float32)
    with QdrantImageStore(collection="demo_image_store") as store:
        for index, vector in enumerate(vectors):
            store.add_vector(f"job-{index}", vector, {"job_id": f"job-{index}", "media_store_id": "media-1", "title": f"image {index}"})
        for result in store.search(vectors[2], limit=3):
            print(f"{result['id']}: score {result['score']:.4f}, {result['title']}")
        point = store.get_vector("job-2")
        print(f"get job-2: {'missing' if point is None else point['vector'].shape}")
        print(f"deleted: {sum(store.delete_vector(f'job-{index}') for index in range(5))}, remaining: {store.count()}")


if __name__ == "__main__":
    main()
