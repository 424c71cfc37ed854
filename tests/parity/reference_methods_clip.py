"""CLIP's text layers by hand, with TextReg's identifier mask: only the class words that follow the placeholder read it,
and the placeholder reads only itself."""

import torch


def allowed(length, position=None, class_length=None):
    """[length, length] of bool, queries by keys; without a position the causal triangle."""
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    if position is not None:
        mask[position, :position] = False
        mask[position + class_length + 1:, position] = False
    return mask


def masks(ids, placeholder_id, class_length):
    """[B, 1, N, N] of bool: for each row that holds the placeholder its own identifier mask, else the causal one."""
    rows = []
    for row in ids.tolist():
        position = row.index(placeholder_id) if placeholder_id in row else None
        assert row.count(placeholder_id) <= 1
        rows.append(allowed(len(row), position, class_length))
    return torch.stack(rows)[:, None]


def attention(layer, states, additive):
    batch, length, width = states.shape

    def heads(projection):
        return projection(states).view(batch, length, layer.num_heads, -1).transpose(1, 2)

    query, key, value = heads(layer.q_proj), heads(layer.k_proj), heads(layer.v_proj)
    weights = (query @ key.transpose(-1, -2) / (width // layer.num_heads) ** 0.5 + additive).softmax(dim=-1)
    return layer.out_proj((weights @ value).transpose(1, 2).reshape(batch, length, width))


def encode(model, ids, may_read):
    """-> last hidden state [B, N, D] after the final norm; `may_read` [B or 1, 1, N, N]."""
    states = model.embeddings(input_ids=ids)
    additive = torch.zeros(may_read.shape, dtype=states.dtype).masked_fill(~may_read, torch.finfo(states.dtype).min)
    for layer in model.encoder.layers:
        states = states + attention(layer.self_attn, layer.layer_norm1(states), additive)
        states = states + layer.mlp(layer.layer_norm2(states))
    return model.final_layer_norm(states)


def check():
    """The worked example: `a photo of a <krk1> cat`, the placeholder at 5, one class token."""
    example = """1000000000 1100000000 1110000000 1111000000 1111100000
                 0000010000 1111111000 1111101100 1111101110 1111101111""".split()
    expected = torch.tensor([[digit == "1" for digit in row] for row in example])
    assert torch.equal(allowed(10, 5, 1), expected)
    assert allowed(77, 5, 1).sum() == 2928 and allowed(77).sum() == 3003
    assert allowed(77, 5, 3)[6:9, 5].all() and not allowed(77, 5, 3)[9:, 5].any()
