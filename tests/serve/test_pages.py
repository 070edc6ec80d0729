"""Pages: what they show, that names are text, and that a browser plays the motion."""

import asyncio
import dataclasses
import io
import os
import re
import time
import types
import urllib.request

import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.osim_rl.http import Client
from jaxosim.serve.errors import RefusedError
from tests.serve.running import ARM_STEPS, Plain, arm_challenge, serving

NAME = "<script>alert('x')</script> & \"ann\""
PATIENCE = 120  # s: software rendering on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Two accounts: one with two complete submissions, one that has given up."""
    more = "[limits]\nopen_per_token = 9"
    with serving(arm_challenge(tmp_path_factory.mktemp("arm"), more)) as (service, port):
        for name, levels in ((NAME, (0.1, 0.9)), ("bob", (None,))):
            token = service.database.add_account(name)
            for level in levels:
                client = Client(f"http://127.0.0.1:{port}")
                client.env_create(token, "Arm2DEnv")
                for _ in range(2 if level else 0):
                    for step in range(ARM_STEPS):
                        client.env_step([level, 0.2 * step, 0.5, 0.5, 0.5, 0.5])
                    client.env_reset()
                client.submit()
        yield service, port


@pytest.fixture(scope="module")
def url(server):
    return f"http://127.0.0.1:{server[1]}"


def get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode(), answer.headers


def test_the_leaderboard_has_the_best_complete_submission_of_each_name(server, url):
    text, headers = get(url)
    best = server[0].database.ranking()
    assert [one.name for one in best] == [NAME]
    assert best[0].total == max(
        one.total for one in server[0].database.submissions() if one.complete
    )
    assert f"{best[0].total:.3f}" in text and "bob" not in text
    assert "script-src" not in headers["content-security-policy"]  # default-src 'none' remains
    assert "default-src 'none'" in headers["content-security-policy"]


def test_names_are_escaped_and_nothing_is_loaded_from_elsewhere(url):
    for path in ("/", "/submissions/1"):
        text, headers = get(url + path)
        assert (
            "<script" not in text and "&lt;script&gt;" in text and "Reach &lt;b&gt;" in get(url)[0]
        )
        assert re.findall(r'(?:src|href)="(?!/)', text) == []
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_submission_shows_a_curve_for_each_episode(server, url):
    text, _ = get(f"{url}/submissions/1")
    assert text.count("<svg") == 2 and f"of each of {ARM_STEPS} steps" in text
    points = re.findall(r'points="([^"]+)"', text)[0].split(" ")
    rewards = server[0].database.episodes(1)[0].rewards
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) == ARM_STEPS
    assert heights.index(min(heights)) == rewards.index(max(rewards))  # up is more
    given_up, _ = get(f"{url}/submissions/3")
    assert "not ranked" in given_up and "No steps." in given_up


@pytest.mark.parametrize(
    "path", ["/submissions/99", f"/submissions/{10**30}", "/submissions/1/episodes/7"]
)
def test_what_there_is_not_is_a_404(server, path):
    status, answer = Plain(server[1]).ask("GET", path)
    assert status == 404 and "message" in answer


def test_an_open_submission_has_no_page(server, url):
    token = server[0].database.add_account("eve")
    client = Client(url)
    client.env_create(token, "Arm2DEnv")
    number = server[0].database.submission(client.instance_id).id
    assert Plain(server[1]).ask("GET", f"/submissions/{number}")[0] == 404
    client.env_close()
    get(f"{url}/submissions/{number}")


def test_motions_are_drawn_at_a_bounded_rate(server, monkeypatch):
    from jaxosim.serve.pages import Pages

    made = []
    monkeypatch.setattr(Pages, "_made", lambda own, *place: made.append(place) or "motion")
    service, _ = server
    limits = dataclasses.replace(service.challenge.limits, motions_per_minute=2.0)
    challenge = dataclasses.replace(service.challenge, limits=limits)
    pages = Pages(types.SimpleNamespace(challenge=challenge))

    async def ask(number):
        request = types.SimpleNamespace(path_params={"number": number, "episode": 0})
        return (await pages.motion(request)).status_code

    async def many():
        assert [await ask(number) for number in (1, 2, 1)] == [200] * 3  # one is kept
        with pytest.raises(RefusedError, match="wait a minute"):
            await ask(3)

    asyncio.run(many())
    assert made == [(1, 0), (2, 0)]


def test_a_browser_shows_leaderboard_curves_and_motion(browser, url, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    folder = os.environ.get("JAXOSIM_SCREENSHOTS", tmp_path)
    context = browser.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(1000 * PATIENCE)
    page, requests, errors = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))

    def picture(name):
        shot = page.screenshot(path=f"{folder}/{name}.png")
        return np.asarray(image.open(io.BytesIO(shot)).convert("RGB")).astype(int)

    page.goto(url)
    assert page.locator("td").nth(1).inner_text() == NAME
    picture("leaderboard")
    page.locator("td a").click()
    page.wait_for_url("**/submissions/*")
    assert page.locator("svg").count() == 2
    picture("submission")
    page.goto(page.get_by_text("Watch the motion").first.evaluate("link => link.href"))
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and picture("motion")[200:500, 100:600].std() < 4:
        time.sleep(0.3)
    assert picture("motion")[200:500, 100:600].std() > 4  # something is drawn
    assert errors == []
    assert {request.split("/")[2] for request in requests if request.startswith("http")} == {
        url.split("/")[2]
    }
    context.close()
