"""Embeddings of many pictures: Parquet shards in a folder or at an address, written and compared by many processes."""

from facelab.embeddings.pairs import StoredPairs
from facelab.embeddings.shards import Block, Embeddings, EmbeddingShards, write_embedding_shards

__all__ = ["Block", "EmbeddingShards", "Embeddings", "StoredPairs", "write_embedding_shards"]
