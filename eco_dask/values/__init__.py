"""The safe codec: values as bytes, without pickle, in one canonical form.

Importing this needs numpy, msgpack and blake3 only; other libraries wait for a value of theirs.
"""

from eco_dask.values.encoded import EncodedValue as EncodedValue
from eco_dask.values.encoded import encode as encode
from eco_dask.values.limits import DEFAULT_LIMITS as DEFAULT_LIMITS
from eco_dask.values.limits import CodecLimits as CodecLimits
from eco_dask.values.registered import register as register
from eco_dask.values.role import is_keeping_encoded as is_keeping_encoded
from eco_dask.values.role import keep_encoded as keep_encoded
from eco_dask.values.unsafe import PickledResult as PickledResult
