"""Nothing here reaches another machine: the tests are kept from it, and the package does not try."""

import importlib.util
import os
import socket
import subprocess
import sys
import threading

import pytest

ELSEWHERE = "192.0.2.1"
"""An address of the block that is kept for documentation: nobody has it."""

RECORD = """
import sys
seen = []
EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
sys.addaudithook(lambda event, arguments: seen.append((event, arguments[1:])) if event in EVENTS else None)
"""
IMPORT_ALL = """
import importlib, pkgutil
import salbench, salbench_models, salbench_leaderboards
count = 0
for package in (salbench, salbench_models, salbench_leaderboards):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:  # an extra that is not installed
            assert not error.name.startswith("salbench"), error
        count += 1
from salbench.models import registry
for name in registry().names():
    registry().factory(name)
assert count > 100, count
assert not seen, seen
"""
HELP = """
from salbench.cli import main
assert main(["--help"]) == 0
assert main(["score", "--help"]) == 0
assert not seen, seen
"""


def refusal(call, *arguments):
    """What the call raises, by name: the class exists once in every process that ran the hook's file."""
    with pytest.raises(Exception, match="tests reach no other machine") as raised:
        call(*arguments)
    return type(raised.value).__name__


def test_the_block_refuses_other_machines():
    """Catches a block that lets connections, datagrams or look-ups through."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        assert refusal(stream.connect, (ELSEWHERE, 80)) == "NetworkRefusedError"
        assert refusal(stream.connect_ex, (ELSEWHERE, 80)) == "NetworkRefusedError"
        assert refusal(datagrams.sendto, b"x", (ELSEWHERE, 53)) == "NetworkRefusedError"
    assert refusal(socket.getaddrinfo, "pypi.org", 443) == "NetworkRefusedError"
    assert refusal(socket.gethostbyname, "pypi.org") == "NetworkRefusedError"


def answer(server: socket.socket) -> None:
    """Take one connection and close it."""
    server.accept()[0].close()


def test_the_block_lets_this_machine_through():
    """Catches a block that tests of downloads and clusters, which have their servers here, could not live with."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer, args=(server,))
        answering.start()
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=10).close()
        answering.join()
    here, there = socket.socketpair()
    here.close()
    there.close()


def test_processes_that_tests_start_are_kept_off_the_network():
    """Catches commands, workers and servers that reach out where the test's own process is watched alone."""
    code = f"import socket; socket.create_connection(({ELSEWHERE!r}, 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "NetworkRefusedError" in done.stderr


@pytest.mark.parametrize("code", [IMPORT_ALL, HELP], ids=["every module and plugin", "--help"])
def test_importing_and_helping_ask_nothing_of_the_network(code):
    """Catches telemetry, checks for updates and weights fetched on import, here or in what is imported."""
    if code == IMPORT_ALL and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: half of the modules could not be imported")
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", RECORD + code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
