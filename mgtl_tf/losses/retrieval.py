"""The losses of retrieval: all pairs of a batch (Eq. 7; InfoNCE)."""

from __future__ import annotations

from keras import ops

from mgtl_tf.utils.scorers import DOT

DISTANCES = ("squared", "euclidean")
# Squared distances below this are rounding: sqrt's slope there is noise.
_SMALLEST_SQUARED_DISTANCE = 1e-6
_NEVER = -1e9


def soft_margin_triplet_loss(
    ground,
    satellite,
    gamma=10.0,
    negatives=None,
    hard_negatives_per_query=None,
    distance="squared",
    scorer=DOT,
):
    """Weighted soft-margin triplet loss over a batch (Eq. 7, R13 to R15).

    Formula: the mean of softplus(gamma (d_pos - d_neg)), where d_pos is a
    query's distance to its positive and d_neg that to a negative, over all
    allowed (query, negative) pairs of both directions: 2 B (B - 1) of them
    without a mask. Zero, with zero gradients, where no pair is allowed.

    Args:
        ground: descriptors [B, D]; row i and row i of `satellite` are a
            true pair.
        satellite: descriptors [B, D].
        gamma: steepness, per unit of distance.
        negatives: bool [B, B], True where ground i and satellite j may be a
            negative pair (R15); default all. The diagonal never is one.
        hard_negatives_per_query: keep only so many nearest negatives of
            each query, in each direction (R14); default all.
        distance: "squared" (2 - 2 cos, R13) or "euclidean", its root.
        scorer: the system's, of which `distance` is; by default the cosine
            of unit vectors.

    Returns:
        float32 scalar.

    Raises:
        ValueError: for an unknown distance, for shapes that do not fit, or
            for `hard_negatives_per_query` below 1.
    """
    if distance not in DISTANCES:
        raise ValueError(
            f"distance={distance!r}: must be one of {', '.join(DISTANCES)}"
        )
    if hard_negatives_per_query is not None and hard_negatives_per_query < 1:
        raise ValueError(
            f"hard_negatives_per_query={hard_negatives_per_query}: must be 1"
            " or more, or None"
        )
    _check_shapes(ground, satellite, negatives, scorer)
    distances = _distances(ground, satellite, distance, scorer)  # [B, B]
    true = ops.diagonal(distances)  # [B]
    allowed = _allowed(negatives, ops.shape(distances)[0])
    # Rows are ground queries, columns satellite queries.
    to_satellite = gamma * (ops.expand_dims(true, 1) - distances)
    to_ground = gamma * (ops.expand_dims(true, 0) - distances)
    hardest = hard_negatives_per_query
    parts = [
        _kept(to_satellite, allowed, hardest),
        _kept(ops.transpose(to_ground), ops.transpose(allowed), hardest),
    ]
    total = sum(
        ops.sum(ops.where(kept, ops.softplus(x), 0.0)) for x, kept in parts
    )
    count = sum(ops.sum(ops.cast(kept, "float32")) for _, kept in parts)
    return total / ops.maximum(count, 1.0)


def info_nce_loss(
    ground,
    satellite,
    temperature=0.07,
    label_smoothing=0.1,
    negatives=None,
    scorer=DOT,
):
    """Symmetric InfoNCE with smoothed labels, beside the paper's loss.

    Formula: the cross-entropy of softmax(score / temperature) of a query over
    its K candidates (its positive and the allowed negatives) against a target
    of 1 - smoothing + smoothing / K for the positive and smoothing / K for
    every negative; the mean over the queries of a direction that have any
    negative, then over both directions. Zero, with zero gradients, where no
    pair is allowed.

    Args:
        ground, satellite, negatives, scorer: as of
            `soft_margin_triplet_loss`.
        temperature: what scores are divided by: a number, or a scalar tensor
            of what is learnt. 0.07 is where Sample4Geo's starts.
        label_smoothing: share of the target spread evenly over the
            candidates, at least 0 and below 1.

    Returns:
        float32 scalar.

    Raises:
        ValueError: for shapes that do not fit, or a temperature or a
            smoothing out of range.

    Reference: Deuser, Habel, Oswald, "Sample4Geo: Hard Negative Sampling For
    Cross-View Geo-Localisation", ICCV 2023.
    """
    _check_shapes(ground, satellite, negatives, scorer)
    # A learnt one is a tensor, whose value is not known yet.
    if isinstance(temperature, (int, float)) and not temperature > 0:
        raise ValueError(f"temperature={temperature}: must be more than 0")
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing={label_smoothing}: must be at least 0 and below 1"
        )
    logits = scorer.of_batch(ground, satellite) / temperature  # [B, B]
    allowed = _allowed(negatives, ops.shape(logits)[0])
    forth = _cross_entropy(logits, allowed, label_smoothing)
    back = _cross_entropy(
        ops.transpose(logits), ops.transpose(allowed), label_smoothing
    )
    return 0.5 * (forth + back)


def _check_shapes(ground, satellite, negatives, scorer):
    shapes = tuple(ground.shape), tuple(satellite.shape)
    two = len(shapes[0]) == len(shapes[1]) == 2
    rows, lengths = zip(*shapes, strict=True) if two else ((), ())
    if not two or rows[0] != rows[1] or not scorer.fits(*lengths):
        raise ValueError(
            f"ground {shapes[0]} and satellite {shapes[1]} must both be [B, D]"
        )
    batch = shapes[0][0]
    if negatives is not None and batch is not None:
        mask = tuple(negatives.shape)
        if mask not in {(batch, batch), (None, None)}:
            raise ValueError(
                f"negatives {mask} must be [B, B] = {(batch, batch)}"
            )


def _distances(ground, satellite, distance, scorer):
    """Distances [B, B] of every ground (row) to every satellite (column)."""
    squared = scorer.squared_distances(scorer.of_batch(ground, satellite))
    if distance == "squared":
        return squared
    # The root's slope at zero is infinite; here it becomes a line below the
    # threshold, so equal descriptors keep finite gradients.
    squared = ops.maximum(squared, 0.0)
    floor = ops.maximum(squared, _SMALLEST_SQUARED_DISTANCE)
    return squared / ops.sqrt(floor)


def _cross_entropy(logits, allowed, smoothing):
    """Mean over the rows that have an allowed column; the diagonal is true."""
    candidates = ops.logical_or(
        allowed, ops.cast(ops.eye(ops.shape(logits)[0]), "bool")
    )
    # Masked before and after: what is no candidate gets no gradient.
    log_shares = ops.log_softmax(ops.where(candidates, logits, _NEVER))
    log_shares = ops.where(candidates, log_shares, 0.0)
    count = ops.sum(ops.cast(candidates, "float32"), axis=1)  # K, [B]
    spread = ops.sum(log_shares, axis=1) / count
    true = ops.diagonal(log_shares)
    entropies = -(1.0 - smoothing) * true - smoothing * spread  # [B]
    # A query without a negative has one candidate of share 1: no loss.
    asked = ops.sum(ops.cast(count > 1, "float32"))
    return ops.sum(entropies) / ops.maximum(asked, 1.0)


def _allowed(negatives, batch):
    """bool [B, B]: the mask, or all, without the diagonal."""
    wrong = ops.logical_not(ops.cast(ops.eye(batch), "bool"))
    if negatives is None:
        return wrong
    return ops.logical_and(ops.cast(negatives, "bool"), wrong)


def _kept(exponents, allowed, hardest):
    """The exponents that count, row by row, and a mask of the same shape."""
    if hardest is None:
        # Masked before softplus: what is not allowed gets no gradient.
        return ops.where(allowed, exponents, 0.0), allowed
    # The true distance is the same along a row, so the largest exponents
    # are the nearest wrong ones.
    batch = exponents.shape[1]
    if batch is None:
        count = ops.minimum(hardest, ops.shape(exponents)[1])
    else:
        count = min(hardest, batch)
    values, _ = ops.top_k(ops.where(allowed, exponents, _NEVER), count)
    return values, values > 0.5 * _NEVER
