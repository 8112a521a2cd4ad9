"""Search engines behind one interface: exact, reduced, quantised, Milvus."""

from mgtl_tf.retrieval.engines.engine import SearchEngine
from mgtl_tf.retrieval.engines.opening import build_engine
from mgtl_tf.retrieval.engines.opening import open_engine
from mgtl_tf.retrieval.engines.opening import require_engine
from mgtl_tf.retrieval.engines.opening import summary
