"""A GGUF file read as llama.cpp reads it: what its model computes, and how its texts are cut."""

import math

import gguf
import torch
import torch.nn.functional as F

AS_NEIGHBOURS = ("llama",)  # architectures in which rotary positions turn neighbouring elements


class File:
    """What a file states, and its tensors in 32 bits."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields = {name: field.contents() for name, field in reader.fields.items()}
        self.types = {t.name: t.tensor_type.name for t in reader.tensors}
        self.tensors = {
            t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy())
            for t in reader.tensors
        }
        self.kind = self.fields["general.architecture"]

    def get(self, name, default=None):
        return self.fields.get(f"{self.kind}.{name}", default)

    def linear(self, x, name):
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def norm(self, x, name):
        weight, bias = self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias")
        if self.kind == "gpt2":
            eps = self.get("attention.layer_norm_epsilon")
            return F.layer_norm(x, weight.shape, weight, bias, eps)
        return F.rms_norm(x, weight.shape, weight, self.get("attention.layer_norm_rms_epsilon"))

    def rotate(self, x):
        """Queries or keys (B, T, H, E)."""
        width = x.shape[-1]
        rates = self.get("rope.freq_base") ** (-torch.arange(0, width, 2).float() / width)
        rates = rates / self.get("rope.scaling.factor", 1.0)
        rates = rates / self.tensors.get("rope_freqs.weight", torch.ones(()))
        angles = (torch.arange(x.shape[1])[:, None] * rates)[:, None]  # (T, 1, E / 2)
        pairs = x.unflatten(-1, (-1, 2)) if self.kind in AS_NEIGHBOURS else None
        a, b = x.chunk(2, -1) if pairs is None else pairs.unbind(-1)
        c, d = a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()
        return torch.cat([c, d], -1) if pairs is None else torch.stack([c, d], -1).flatten(-2)

    def logits(self, tokens):
        """(B, T) to (B, T, V)."""
        x = self.tensors["token_embd.weight"][tokens]
        if self.kind == "gpt2":
            x = x + self.tensors["position_embd.weight"][: tokens.shape[1]]
        for k in range(self.get("block_count")):
            x = x + self.attention(self.norm(x, f"blk.{k}.attn_norm"), f"blk.{k}")
            y = self.norm(x, f"blk.{k}.ffn_norm")
            up = self.linear(y, f"blk.{k}.ffn_up")
            if self.kind == "gpt2":
                y = F.gelu(up, approximate="tanh")
            else:
                y = F.silu(self.linear(y, f"blk.{k}.ffn_gate")) * up
            x = x + self.linear(y, f"blk.{k}.ffn_down")
        x = self.norm(x, "output_norm")
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return x @ head.T

    def attention(self, x, block):
        heads = self.get("attention.head_count")
        kv_heads = self.get("attention.head_count_kv", heads)
        if self.kind == "gpt2":
            q, k, v = self.linear(x, f"{block}.attn_qkv").chunk(3, -1)
        else:
            q, k, v = (self.linear(x, f"{block}.attn_{name}") for name in "qkv")
        q, k, v = (y.unflatten(-1, (n, -1)) for y, n in ((q, heads), (k, kv_heads), (v, kv_heads)))
        if f"{block}.attn_q_norm.weight" in self.tensors:
            q, k = self.norm(q, f"{block}.attn_q_norm"), self.norm(k, f"{block}.attn_k_norm")
        if self.kind != "gpt2":
            q, k = self.rotate(q), self.rotate(k)
        k, v = (y.repeat_interleave(heads // kv_heads, 2) for y in (k, v))
        scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(q.shape[-1])
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        shares = scores.masked_fill(mask, -math.inf).softmax(-1)
        y = torch.einsum("bhqk,bkhe->bqhe", shares, v).flatten(2)
        return self.linear(y, f"{block}.attn_output")

    def encode(self, text):
        """Ids of a text, no part of which is a special token."""
        tokens = self.fields["tokenizer.ggml.tokens"]
        ids = {token: number for number, token in enumerate(tokens)}
        if self.fields["tokenizer.ggml.model"] == "llama":
            return self._by_scores(text, ids)
        return self._by_merges(text, ids)

    def _by_merges(self, text, ids):
        """By GPT-2's pattern; unknown letters are left out."""
        from tokenizers import pre_tokenizers

        assert self.fields["tokenizer.ggml.pre"] == "gpt-2"
        ranks = {m: k for k, m in enumerate(self.fields["tokenizer.ggml.merges"])}
        cut = pre_tokenizers.ByteLevel(add_prefix_space=False)
        found = []
        for word, _ in cut.pre_tokenize_str(text):
            pieces = list(word)
            while True:
                pairs = [f"{a} {b}" for a, b in zip(pieces, pieces[1:])]
                best = min(pairs, key=lambda pair: ranks.get(pair, math.inf), default=None)
                if best not in ranks:
                    break
                place = pairs.index(best)
                pieces[place : place + 2] = ["".join(pieces[place : place + 2])]
            found += [ids[piece] for piece in pieces if piece in ids]
        return found

    def _by_scores(self, text, ids):
        """SentencePiece's: the pair first that makes the piece of the highest score."""
        if not text:
            return []
        scores = self.fields["tokenizer.ggml.scores"]
        prefix = " " if self.fields["tokenizer.ggml.add_space_prefix"] else ""
        pieces = list((prefix + text).replace(" ", "\u2581"))
        while True:
            made = [a + b for a, b in zip(pieces, pieces[1:])]
            score = [scores[ids[piece]] if piece in ids else -math.inf for piece in made]
            if not made or max(score) == -math.inf:
                break
            place = score.index(max(score))
            pieces[place : place + 2] = [made[place]]
        by_bytes = ([f"<0x{byte:02X}>" for byte in piece.encode()] for piece in pieces)
        return [
            ids[part]
            for piece, spelt in zip(pieces, by_bytes)
            for part in ([piece] if piece in ids else spelt)
        ]
