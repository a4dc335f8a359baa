"""Where ranks find one another: a store of torch.distributed, by the environment or on this machine alone."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from torch._C._distributed_c10d import Store, TCPStore
from torch.distributed.rendezvous import rendezvous

from barista_engine.control import PLACE, START_PATIENCE
from barista_engine.errors import CheckFailed
from barista_engine.launch import Place

_KEY = "barista-caffe root"
_HOST = "127.0.0.1"
_TIMEOUT = timedelta(seconds=START_PATIENCE)
_given: list[Store] = []


def announce(port: int, token: str) -> None:
    """On the root: tell the ranks that others started where this process listens. Raises CheckFailed."""
    _store_given().set(_KEY, f"{port} {token}")


def find_root() -> tuple[str, int, str]:
    """Elsewhere: host, port and token of the root. Raises CheckFailed."""
    try:
        port, token = _store_given().get(_KEY).decode().split()
    except RuntimeError as error:
        raise _not_met(error) from None
    return os.environ["MASTER_ADDR"], int(port), token


def open_store(place: Place, port: int = 0) -> tuple[Store, int]:
    """The store of all ranks and its port, which the root chooses and the others are told."""
    if place.given:
        return _store_given(), 0
    root = place.rank == 0
    listener = socket.create_server((_HOST, 0)) if root else None
    if listener:
        port = listener.getsockname()[1]
    store = TCPStore(
        _HOST,
        port,
        place.count,
        root,
        _TIMEOUT,
        wait_for_workers=False,
        master_listen_fd=listener.detach() if listener else None,
    )
    return store, port


def _store_given() -> Store:
    """The one that MASTER_ADDR and MASTER_PORT lead to; waits for the other ranks."""
    if not _given:
        try:
            _given.append(next(rendezvous("env://", timeout=_TIMEOUT))[0])
        except RuntimeError as error:
            raise _not_met(error) from None
    return _given[0]


def _not_met(error: RuntimeError) -> CheckFailed:
    address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    first = str(error).splitlines()[0]
    return CheckFailed(f"The ranks have not met at {address}: {first}", PLACE, 322)
