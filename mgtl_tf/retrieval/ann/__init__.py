"""Search engines behind one interface: exact, quantized, reduced, Milvus."""

from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.ann.opening import (
    build_engine,
    open_engine,
    require_engine,
    summary,
)
