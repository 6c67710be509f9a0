"""Stores the faces of two media items, searches them, and deletes the jobs again. Uses a separate collection."""

import numpy as np

from embeddings_client import QdrantFaceStore


def main() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((6, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with QdrantFaceStore(collection="demo_face_store") as store:
        for index, vector in enumerate(vectors):
            job = f"demo-{index % 2}"
            payload = {"job_id": job, "media_store_id": f"media-{index % 2}", "face_index": index, "bbox": {"x": 10 * index, "y": 20, "width": 80, "height": 90}}
            store.add_vector(f"{job}-{index}", vector, payload)
        print("all media items:")
        for result in store.search(vectors[3], limit=3):
            print(f"  {result['id']}: score {result['score']:.4f}, bbox {result['bbox']}")
        print("only media-1:")
        for result in store.search_by_media_store_id(vectors[3], "media-1", limit=3):
            print(f"  {result['id']}: score {result['score']:.4f}")
        print(f"deleted: {store.delete_by_job_id('demo-0')} and {store.delete_by_job_id('demo-1')}, remaining: {store.count()}")


if __name__ == "__main__":
    main()
