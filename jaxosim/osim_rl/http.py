"""The client of a remote challenge, with the methods of osim-rl's: `docs/take_part.md`.

Each request names a key, so that one that is repeated, because the connection or the server was
lost, is answered again and never played twice.

Source: osim-rl 2.1 `osim.http.client`.
"""

import http.client
import json
import secrets
import time
import urllib.parse
from importlib.metadata import version
from typing import Any

import numpy as np

from jaxosim.errors import JaxosimError

_KEY_BYTES = 16
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # s between attempts
_AGAIN = (408, 429, 502, 503, 504)  # statuses of a server that may answer later
_SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class ServerError(JaxosimError):
    """The server has refused a request.

    Attributes:
      message: the server's.
      status_code: of HTTP; None if no answer came.
    """

    def __init__(self, message: str, status_code: int | None = None) -> None:
        """Hold both."""
        super().__init__(message)
        self.message = message
        self.status_code = status_code


class TokenError(ServerError):
    """The token is none, has been revoked, or may do no more."""


class RequestError(ServerError):
    """The request is wrong, such as an action of another length; the episode goes on."""


class UnreachableError(ServerError):
    """No answer came, however often the request was sent."""


class Client:
    """Plays the episodes of a challenge; `env_create` first, `submit` at the end.

    Attributes:
      remote_base: address of the server.
      instance_id: of the submission, once there is one.
    """

    def __init__(self, remote_base: str, patience: float = 120.0) -> None:
        """Connect at the first request.

        Args:
          remote_base: address of the server, such as "http://127.0.0.1:8000".
          patience: (s) for which a request is repeated while no answer comes.

        Raises:
          ValueError: the address is none.
        """
        parts = urllib.parse.urlsplit(remote_base)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError(f"remote_base: expected http://HOST:PORT, got {remote_base!r}")
        self.remote_base = remote_base
        self.instance_id: str | None = None
        self._path = parts.path.rstrip("/")
        self._open = lambda: _SCHEMES[parts.scheme](
            parts.hostname or "", parts.port, timeout=patience
        )
        self._connection: http.client.HTTPConnection | None = None
        self._patience = patience
        self._token: str | None = None

    def challenge(self) -> dict[str, Any]:
        """What is graded: `env_id`, `episodes`, `time_limit`, `action_size` and more.

        Raises:
          ServerError: the server does not answer, or is not jaxosim's.
        """
        return self._request("GET", "/v2/challenge", None)

    # ------------------------------------------------------------------ osim-rl's methods

    def env_create(self, token: str, env_id: str = "ProstheticsEnv") -> Any:
        """Begin a submission and its first episode.

        Args:
          token: from the challenge's keeper.
          env_id: the challenge's task.

        Returns:
          The first observation.

        Raises:
          TokenError: the token is none.
          ServerError: the server refuses, or does not answer.
        """
        self._token = token
        body = {"env_id": env_id, "token": token, "version": f"jaxosim {version('jaxosim')}"}
        self.instance_id = self._request("POST", "/v1/envs/", body)["instance_id"]
        self.env_monitor_start("", force=True)
        return self.env_reset()

    def env_reset(self) -> Any:
        """Begin the next episode; the observation, which is empty where there is none.

        Raises:
          ServerError: the server refuses, or does not answer.
        """
        return self._call("reset", None)["observation"]

    def env_step(self, action: Any, render: bool = False) -> list[Any]:
        """One control step.

        Args:
          action: an excitation for each muscle, clipped to [0, 1].
          render: has no effect.

        Returns:
          `[observation, reward, done, info]`.

        Raises:
          RequestError: NaN in the action, a wrong length, or the episode has ended.
          ServerError: the server refuses, or does not answer.
        """
        values = np.asarray(action, float).tolist()
        answer = self._call("step", {"action": values, "render": render})
        return [answer["observation"], answer["reward"], answer["done"], answer["info"]]

    def env_monitor_start(
        self,
        directory: str,
        force: bool = False,
        resume: bool = False,
        video_callable: bool = False,
    ) -> None:
        """Nothing: the server keeps every step.

        Args:
          directory: has no effect.
          force: has no effect.
          resume: has no effect.
          video_callable: has no effect.
        """
        body = {"directory": directory, "force": force, "resume": resume}
        self._call("monitor/start", {**body, "video_callable": video_callable})

    def submit(self) -> float:
        """End the submission; print and return its score, the sum of all rewards.

        Raises:
          ServerError: the server refuses, or does not answer.
        """
        reward = self._call("monitor/close", None)["reward"]
        print(f"Your total reward from this submission: {reward:f}")
        self.env_close()
        return reward

    def env_close(self) -> None:
        """End the submission; it counts if every episode has ended.

        Raises:
          ServerError: the server refuses, or does not answer.
        """
        self._call("close", None)
        self._disconnect()

    # --------------------------------------------------------------------------- requests

    def _call(self, call: str, body: Any) -> dict[str, Any]:
        """The answer to a call about the submission."""
        if self.instance_id is None:
            raise RuntimeError("there is no submission yet: call env_create() first")
        return self._request("POST", f"/v1/envs/{self.instance_id}/{call}/", body)

    def _request(self, method: str, route: str, body: Any) -> dict[str, Any]:
        """The answer to a request, which is repeated until it comes."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": secrets.token_hex(_KEY_BYTES),
        }
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        content = json.dumps(body).encode()
        end, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            try:
                status, answer = self._exchange(method, self._path + route, content, headers)
                error: ServerError | None = _error_of(status, answer)
                if error is None:
                    return answer
            except (OSError, http.client.HTTPException) as problem:
                self._disconnect()
                error = UnreachableError(f"{self.remote_base}: no answer: {problem}")
                status = None
            if (status is not None and status not in _AGAIN) or time.monotonic() + pause > end:
                raise error
            time.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE)

    def _exchange(
        self, method: str, path: str, content: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer of one attempt."""
        connection = self._connection or self._open()
        self._connection = connection
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        text = response.read()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": f"{self.remote_base}: {response.status} {response.reason}"}
        return response.status, answer if isinstance(answer, dict) else {}

    def _disconnect(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _error_of(status: int, answer: dict[str, Any]) -> ServerError | None:
    """The error that a status means, None for an answer."""
    if status == 200:
        return None
    message = str(answer.get("message", f"the server answered with status {status}"))
    kinds = {400: RequestError, 409: RequestError, 413: RequestError, 422: RequestError}
    kinds |= {401: TokenError, 403: TokenError, 429: TokenError}
    return kinds.get(status, ServerError)(message, status)
