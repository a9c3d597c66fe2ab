"""Text to dense vectors: one exported graph (pooling and L2 normalisation inside), run without torch.

``pipelines.embedding_model.export`` writes the folder that :meth:`Encoder.load` reads. Documents and queries go through the same
graph, so what was indexed and what is asked live in the same space.
"""

from search_index.embedding.card import EncoderCard, vector_key
from search_index.embedding.encoder import Encoder

__all__ = ["Encoder", "EncoderCard", "vector_key"]
