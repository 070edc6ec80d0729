"""Pages for people: the leaderboard, a submission with its curves, an episode in motion.

They are HTML made here, without scripts; only the motion, the project's own viewer page, has any,
all in the page itself. Names are escaped, and nothing is loaded from elsewhere.
"""

import asyncio
import datetime
import html
import tempfile
from collections import OrderedDict
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from jaxosim.errors import MissingExtraError
from jaxosim.serve.curves import curve
from jaxosim.serve.database import Submission
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.gate import Bucket
from jaxosim.serve.regrade import replay
from jaxosim.serve.service import Service
from jaxosim.viewer.html import write_html
from jaxosim.viewer.motion import record_episode

_MOST_MOTIONS = 16  # pages that are kept, a few MB each
_PLAIN = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# The viewer's page has everything in itself, but makes of it what browsers call other sources.
_VIEWER = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src data: blob:; "
    "worker-src blob: data:; base-uri 'none'; form-action 'none'"
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: 9rem; }
footer { margin-top: 2rem; color: #888; font-size: 85%; }
"""


def routes(service: Service) -> list[Route]:
    """The pages."""
    pages = Pages(service)
    submission = "/submissions/{number:int}"
    return [
        Route("/", pages.leaderboard, methods=["GET"]),
        Route(submission, pages.submission, methods=["GET"]),
        Route(submission + "/episodes/{episode:int}", pages.motion, methods=["GET"]),
    ]


class Pages:
    """The pages of one service; only submissions that are closed have any."""

    def __init__(self, service: Service) -> None:
        """No motion has been asked for."""
        self._service = service
        self._motions: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        per_minute = service.challenge.limits.motions_per_minute
        self._rate = Bucket(per_minute / 60.0, max(1.0, per_minute))

    async def leaderboard(self, request: Request) -> Response:
        """The best submission of each account."""
        ranking = await run_in_threadpool(self._service.database.ranking)
        rows = "".join(
            f'<tr><td class="number">{place}</td><td>{html.escape(one.name)}</td>'
            f'<td class="number"><a href="/submissions/{one.id}">{one.total:.3f}</a></td>'
            f"<td>{_day(one.created)}</td></tr>"
            for place, one in enumerate(ranking, 1)
        )
        head = '<th class="number">Rank</th><th>Name</th><th class="number">Score</th><th>Day</th>'
        challenge = self._service.challenge
        nobody = "" if ranking else "<p>Nobody has completed a submission yet.</p>"
        text = (
            f"<p>{html.escape(challenge.task)}, {len(challenge.seeds)} episodes. The score is the "
            f"sum of all rewards; each name is listed with its best submission.</p>"
            f"<table><tr>{head}</tr>{rows}</table>{nobody}"
        )
        return _page(challenge.name, text)

    async def submission(self, request: Request) -> Response:
        """A submission's episodes, each with its rewards over time."""
        one = await run_in_threadpool(self._closed, request.path_params["number"])
        episodes = await run_in_threadpool(self._service.database.episodes, one.id)
        parts = []
        for episode in episodes:
            title = f"Episode {episode.number + 1}: {len(episode.rewards)} steps, "
            title += f"reward {sum(episode.rewards):.3f}"
            link = f'<a href="/submissions/{one.id}/episodes/{episode.number}">Watch the motion</a>'
            parts.append(f"<h2>{title}</h2>{curve(episode.rewards)}<p>{link}</p>")
        state = "" if one.complete else " Not every episode was finished, so it is not ranked."
        text = (
            f'<p><a href="/">Leaderboard</a></p><p>By {html.escape(one.name)} on '
            f"{_day(one.created)}, with {html.escape(one.client or 'a client without a name')}. "
            f"Score {one.total:.3f}.{state}</p>{''.join(parts)}"
        )
        return _page(f"Submission {one.id}", text)

    async def motion(self, request: Request) -> Response:
        """The viewer's page with the motion of an episode, played again from its actions."""
        place = request.path_params["number"], request.path_params["episode"]
        async with self._one_at_a_time:
            if place not in self._motions:
                if not self._rate.take():
                    raise RefusedError(429, "too many motions are asked for: wait a minute")
                self._motions[place] = await run_in_threadpool(self._made, *place)
                if len(self._motions) > _MOST_MOTIONS:
                    self._motions.popitem(last=False)
        return HTMLResponse(self._motions[place], headers=_headers(_VIEWER))

    def _closed(self, number: int) -> Submission:
        """A submission that is closed.

        Raises:
          RefusedError: there is none of this number.
        """
        one = self._service.database.closed_submission(number)
        if one is None:
            raise RefusedError(404, f"there is no closed submission {number}")
        return one

    def _made(self, number: int, episode: int) -> str:
        """The viewer's page.

        Raises:
          RefusedError: there is no such episode, or the server cannot draw.
        """
        one = self._closed(number)
        episodes = self._service.database.episodes(one.id)
        if episode >= len(episodes):
            raise RefusedError(404, f"submission {number} has no episode {episode}")
        env, worlds = replay(self._service.challenge, one, episodes[: episode + 1])
        motion = record_episode(env.osim_model.compiled.env, worlds)
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = write_html(motion, Path(folder) / "motion.html")
                return path.read_text(encoding="utf-8")
        except MissingExtraError as error:
            raise RefusedError(501, f"this server cannot draw: {error}") from error


def _page(title: str, text: str) -> Response:
    """A whole page; the title is escaped, the text is not."""
    name = html.escape(title)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{name}</h1>{text}<footer>Graded by jaxosim.</footer></body></html>",
        headers=_headers(_PLAIN),
    )


def _headers(policy: str) -> dict[str, str]:
    """What a browser may do with a page."""
    return {
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def _day(moment: float) -> str:
    """A day from seconds since 1970."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%d")
