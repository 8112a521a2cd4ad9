"""A distilled DeiT in NumPy, of two small blocks, and arrays as timm's."""

import cv2
import numpy as np
import scipy.special

PATCH, C, HEADS, D = 8, 12, 3, 10


def arrays(side=3):
    """Such as timm names and lays them out, with a square of positions."""
    random = np.random.default_rng(3)
    shapes = {
        "cls_token": (1, 1, C),
        "dist_token": (1, 1, C),
        "pos_embed": (1, 2 + side * side, C),
        "patch_embed.proj.weight": (C, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (C,),
        "norm.weight": (C,),
        "norm.bias": (C,),
    }
    for name in ("head", "head_dist"):
        shapes |= {f"{name}.weight": (D, C), f"{name}.bias": (D,)}
    for number in range(2):
        at = f"blocks.{number}"
        for name in ("norm1", "norm2"):
            shapes |= {f"{at}.{name}.weight": (C,), f"{at}.{name}.bias": (C,)}
        for name, size in (
            ("attn.qkv", (3 * C, C)),
            ("attn.proj", (C, C)),
            ("mlp.fc1", (4 * C, C)),
            ("mlp.fc2", (C, 4 * C)),
        ):
            shapes |= {f"{at}.{name}.weight": size}
            shapes |= {f"{at}.{name}.bias": size[:1]}
    return {
        name: (random.normal(size=shape) * shape[-1] ** -0.5).astype("f4")
        for name, shape in shapes.items()
    }


def _linear(x, values, name):
    return x @ values[f"{name}.weight"].T + values[f"{name}.bias"]


def _norm(x, values, name):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-6)
    return scaled * values[f"{name}.weight"] + values[f"{name}.bias"]


def _attend(x, values, at):
    """Of one image: the attention's output, and its weights [heads, T, T]."""
    parts = _linear(x, values, f"{at}.attn.qkv")
    query, key, value = np.moveaxis(
        parts.reshape(len(x), 3, HEADS, C // HEADS), (1, 2), (0, 1)
    )
    logits = query @ key.swapaxes(1, 2) * (C // HEADS) ** -0.5
    weights = scipy.special.softmax(logits, axis=-1)
    joined = (weights @ value).swapaxes(0, 1).reshape(len(x), C)
    return _linear(joined, values, f"{at}.attn.proj"), weights


def network(image, values, kept=None):
    """DeiT in float64: the mean of its heads, and the last attention."""
    values = {name: value.astype("f8") for name, value in values.items()}
    mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    image = (image / 255 - mean) / spread
    rows, columns = (n // PATCH for n in image.shape[:2])
    image = image[: rows * PATCH, : columns * PATCH]
    patches = image.reshape(rows, PATCH, columns, PATCH, 3)
    kernel = values["patch_embed.proj.weight"]
    x = np.einsum("riajc,dcij->rad", patches, kernel).reshape(-1, C)
    x = x + values["patch_embed.proj.bias"]
    tokens = [values["cls_token"][0], values["dist_token"][0], x]
    x = np.concatenate(tokens) + values["pos_embed"][0]
    x = x if kept is None else x[[0, 1, *(2 + np.asarray(kept))]]
    for at in ("blocks.0", "blocks.1"):
        found, weights = _attend(_norm(x, values, f"{at}.norm1"), values, at)
        x = x + found
        hidden = _linear(
            _norm(x, values, f"{at}.norm2"), values, f"{at}.mlp.fc1"
        )
        hidden = hidden * scipy.special.ndtr(hidden)
        x = x + _linear(hidden, values, f"{at}.mlp.fc2")
    x = _norm(x, values, "norm")
    heads = [
        _linear(token, values, name)
        for token, name in zip(x[:2], ("head", "head_dist"), strict=True)
    ]
    return np.mean(heads, 0), weights[:, :2, 2:].sum((0, 1))


def resized(table, source, grid):
    """Positions by OpenCV, apart from both tokens'."""
    cells = table[0, 2:].reshape(*source, C)
    moved = cv2.resize(cells, grid[::-1], interpolation=cv2.INTER_LINEAR)
    return np.concatenate([table[0, :2], moved.reshape(-1, C)])[None]
