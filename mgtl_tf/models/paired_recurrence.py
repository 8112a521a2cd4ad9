"""MGTL's recurrence where a view's attention reads what the other view has."""

from __future__ import annotations

from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.models.vectors import unit_vectors


def paired_descriptors(model, views, read, training=False, first_block=0):
    """Descriptors of pairs, both views' steps taken side by side (Eq. 1 to 6).

    Args:
        model: an MGTL with at least one step.
        views: {"ground", "satellite": [B, H, W, 3] RGB 0..255}.
        read: from a step, the normalised tokens [B, T, C] of both views by
            name, and a view's name, to what that view's attention reads.
        training, first_block: of the model.

    Returns:
        {"ground", "satellite": [B, D]} unit vectors, float32.
    """
    tokens = {}
    for view in VIEWS:
        features = model.features(
            views[view], view=view, training=training, first_block=first_block
        )
        tokens[view] = model.encoding(features)
    steps = {view: model.layers_of(view)[0] for view in VIEWS}
    for number in range(len(steps["ground"])):
        pair = {view: steps[view][number] for view in VIEWS}
        normalized = {v: pair[v].norm(tokens[v]) for v in VIEWS}
        tokens = {
            view: step.transformer(
                normalized[view], read(step, normalized, view)
            )
            for view, step in pair.items()
        }
    return {v: unit_vectors(model.layers_of(v)[1](tokens[v])) for v in VIEWS}


def other_views_tokens(step, normalized, view):
    """What CMI should have generated (Eq. 8): a `read` of true knowledge."""
    return normalized[VIEWS[1 - VIEWS.index(view)]]
