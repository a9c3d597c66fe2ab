"""A small embedding model, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def tiny_model(
    scratch: Path, pooling: str = "mean", extra: str = "", prompts: dict[str, str] | None = None, seed: int = 0
) -> SentenceTransformer:
    """A sentence-transformers model of two thin layers with random weights, whose tokens are letters.

    ``scratch`` is a folder for what it is put together from.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:-"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({token: at for at, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(scratch)
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    ).save_pretrained(scratch)  # fmt: skip
    modules: list[torch.nn.Module] = [Transformer(str(scratch), max_seq_length=48), Pooling(32, pooling_mode=pooling)]
    if extra == "dense":
        modules.append(Dense(in_features=32, out_features=12))
    elif extra == "normalize":
        modules.append(Normalize())
    return SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
