"""The losses: tensors in, one float32 scalar out (Eq. 7 to 9; InfoNCE).

Everything is computed in float32 whatever the inputs' dtype, and every mean
is taken over what is really there (tensor shapes and masks), never over the
configured batch size.
"""

from mgtl_tf.losses.objective import generative_loss, offset_loss, total_loss
from mgtl_tf.losses.retrieval import info_nce_loss, soft_margin_triplet_loss
