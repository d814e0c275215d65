"""POT's compiled solver of optimal transport, imported here and nowhere else.

POT imports every array library that it finds, PyTorch among them, unless told not to, and SciPy's statistics: half a
second that only EMD should cost. So this module is imported when the first EMD is computed, or early on purpose.
"""

import os

_SWITCHES = {f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")}
_before = {name: os.environ.get(name) for name in _SWITCHES}
os.environ.update(_SWITCHES)
try:
    from ot.lp.emd_wrap import check_result, emd_c
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value

__all__ = ["check_result", "emd_c"]
