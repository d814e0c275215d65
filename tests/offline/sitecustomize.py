"""Refuses every connection and every look-up of a name that leads off this machine, in the process that imports it.

Python imports a module of this name when it starts: `tests/conftest.py` runs it in its own process and puts its folder
on PYTHONPATH for those that tests start. What is no Python (a browser, the C++ parts of PyTorch) is not seen here.
"""

import ipaddress
import socket
import sys

LOCAL_NAMES = {"", "localhost", "0.0.0.0", "::"}  # noqa: S104 - nothing is bound here
LOOK_UPS = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}
"""Audit events, and which of their arguments is the name."""
SENDINGS = ("socket.connect", "socket.sendto", "socket.sendmsg")


class NetworkRefusedError(Exception):
    """No OSError: code that takes a failed connection lightly shall not take this lightly."""


def is_here(host):
    """Whether a name or an address is one of this machine."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
    if name in LOCAL_NAMES or name in {socket.gethostname(), socket.gethostname().split(".")[0]}:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or str(address) in own_addresses()


def own_addresses():
    """The addresses of this machine's name: launchers look at them to find out which process is the first."""
    try:
        return {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


def finds_own_address(event, sock):
    """A datagram socket that is connected sends nothing: so programs find out which address this machine has."""
    return event == "socket.connect" and sock.type == socket.SOCK_DGRAM


def refuse_network(event, arguments):
    """The audit hook."""
    if event in LOOK_UPS:
        host = arguments[LOOK_UPS[event]]
    elif event in SENDINGS:
        sock, address = arguments[0], arguments[-1]
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or address is None or finds_own_address(event, sock):
            return
        host = address[0]
    else:
        return
    if str(host).endswith(".invalid"):  # names that no look-up finds: it need not be asked
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if not is_here(host):
        raise NetworkRefusedError(f"{event}: tests reach no other machine, and this wants {host!r}")


sys.addaudithook(refuse_network)
