"""POT's compiled solver of optimal transport, imported here and nowhere else.

POT imports every array library that it finds, PyTorch among them, unless told not to, and SciPy's statistics: half a
second that only EMD should cost. So this module is imported when the first EMD is computed, or early on purpose.
"""

from salbench.environment import variables_set

with variables_set({f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")}):
    from ot.lp.emd_wrap import check_result, emd_c

__all__ = ["check_result", "emd_c"]
