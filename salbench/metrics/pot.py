"""POT's compiled solver of optimal transport, imported here and nowhere else.

`import ot` loads all of POT, half of SciPy and every array library that it finds, PyTorch among them: half a second and
fifty megabytes in every process, for one compiled function. So the folders of POT's package are given to packages of
another name, which run none of its `__init__` files, and the function's module is imported from these. Where a release
of POT does not allow that, the whole of it is imported.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from salbench.environment import variables_set

_ALIAS = "salbench_pot"


def _solver() -> ModuleType:
    try:
        found = find_spec("ot")
        places = [] if found is None else [Path(place) for place in found.submodule_search_locations or ()]
        for name, parts in ((_ALIAS, ()), (f"{_ALIAS}.lp", ("lp",))):
            package = ModuleType(name)
            package.__path__ = [str(place.joinpath(*parts)) for place in places]
            sys.modules[name] = package
        return import_module(f"{_ALIAS}.lp.emd_wrap")
    except Exception:  # whatever another release of POT may raise
        return import_module("ot.lp.emd_wrap")


with variables_set({f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")}):
    _module = _solver()

emd_c, check_result = _module.emd_c, _module.check_result
"""The network simplex on arrays, and what makes errors of the state that it ends in."""
