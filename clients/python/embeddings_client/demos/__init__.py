"""Four demos. Each needs a running server at `$EMBEDDINGS_URL` (default: http://localhost:50051).

Run a demo with, for example: python -m embeddings_client.demos.image_embedding
"""
