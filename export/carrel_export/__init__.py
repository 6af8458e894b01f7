"""Training and export of Carrel's models. Needs the ``export`` extra (torch); never imported at run time."""

import os

# every shape of a batch is a set of compiled kernels; the default keeps too few of them and compiles all the time
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
