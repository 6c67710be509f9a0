"""Embeds one image, then a batch of three."""

import numpy as np

from embeddings_client import ImageEmbeddingInference


def main() -> None:
    rng = np.random.default_rng(1)
    with ImageEmbeddingInference(embedding_dim=512, input_size=(224, 224)) as inference:
        vector = inference.infer(rng.standard_normal((224, 224, 3)).astype(np.float32), label="image_1")
        print(f"image_1: shape {vector.shape}, {vector.dtype}, norm {np.linalg.norm(vector):.4f}")
        batch = {f"image_{i}": rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for i in range(3)}
        for label, result in inference.infer_batch(batch).items():
            print(f"{label}: {'failed' if result is None else f'shape {result.shape}, norm {np.linalg.norm(result):.4f}'}")


if __name__ == "__main__":
    main()
