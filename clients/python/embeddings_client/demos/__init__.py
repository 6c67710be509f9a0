"""Four demos, each against a running server (`$EMBEDDINGS_URL`, or http://localhost:50051): python -m embeddings_client.demos.image_embedding"""
