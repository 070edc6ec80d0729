"""The server process: uvicorn around the application."""

import socket

import jax
import uvicorn

from jaxosim.serve.app import App
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.service import Service

_KEEP_ALIVE = 30  # s of silence, after which a connection is closed
_GRACE = 10  # s for requests that are under way when the server is stopped


def serve(challenge: Challenge, host: str, port: int) -> None:
    """Answer requests until the process is stopped.

    Args:
      challenge: what is graded.
      host: address to bind; "127.0.0.1" for this machine only.
      port: 0 for any that is free; the address is printed.

    Raises:
      ChallengeError: the task or an option is unknown, or the results are another challenge's.
      OSError: the address is taken, or the database cannot be opened.
    """
    jax.config.update("jax_enable_x64", challenge.precision == "float64")
    listener = socket.create_server((host, port))
    service = Service(challenge)
    config = uvicorn.Config(
        App(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=challenge.limits.connections,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
        ws_max_size=challenge.limits.body_bytes,
        ws_per_message_deflate=False,  # it took a third of a message's time
    )
    address = listener.getsockname()
    print(f"{challenge.name}: http://{address[0]}:{address[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
