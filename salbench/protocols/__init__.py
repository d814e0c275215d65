"""Evaluation protocols: a name that fixes which metric code, which options, which ground truth, which resize."""

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.protocols.mit300 import MIT300
from salbench.protocols.protocol import GroundTruth, Protocol, RngOf
from salbench.protocols.salicon2015 import SALICON2015
from salbench.protocols.tuebingen import TUEBINGEN

PROTOCOLS: dict[str, Protocol] = {protocol.key: protocol for protocol in (MIT300, SALICON2015, TUEBINGEN)}
"""Every protocol by its key."""


def find_protocol(key: str) -> Protocol:
    """The protocol of that key. UsageError, with the near ones, for an unknown one."""
    if key not in PROTOCOLS:
        raise UsageError(unknown_name("protocol", key, list(PROTOCOLS)))
    return PROTOCOLS[key]


__all__ = ["PROTOCOLS", "GroundTruth", "Protocol", "RngOf", "find_protocol"]
