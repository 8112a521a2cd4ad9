"""The configuration of a run: frozen records, checked, saved as JSON.

Every field is also a command-line flag of its own name
(experiments/config_flags.py makes the flag from the field's type, default and
help text). Defaults are the paper's, or those of the system's authors;
presets (mgtl_tf/presets) replace a few of them.
"""

from mgtl_tf.config.baselines import SAFAConfig
from mgtl_tf.config.convnext import ConvNeXtConfig
from mgtl_tf.config.data import DATASETS, DataConfig
from mgtl_tf.config.dsm import DSMConfig
from mgtl_tf.config.input_form import SATELLITE_FORMS, InputForm
from mgtl_tf.config.model import SYSTEMS, ModelConfig
from mgtl_tf.config.peers import CVMNetConfig
from mgtl_tf.config.regmi import RegmiConfig
from mgtl_tf.config.run import RunConfig, StartRecord
from mgtl_tf.config.toker import TokerConfig
from mgtl_tf.config.train import TrainConfig
from mgtl_tf.config.transgeo import TransGeoConfig
