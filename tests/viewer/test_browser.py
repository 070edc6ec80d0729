"""The stand-alone page and the web viewer in a headless Chromium: they play, and sliders move."""

import io
import re
import socket
import threading
import time

import numpy as np
import pytest

from jaxosim.viewer.run import Run
from jaxosim.viewer.scene import default_state

PATIENCE = 150  # s: software rendering on a busy machine
SIZE = {"width": 640, "height": 480}


def picture(page):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return np.asarray(image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def canvas(page):
    """The left half of the page below the browser's warning, where no control is."""
    image = picture(page)
    height, width = image.shape[:2]
    return image[height * 4 // 10 : height * 85 // 100, : width // 2]


def differs(one, other):
    return np.abs(one - other).mean() > 0.3


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.3)
    return False


@pytest.fixture(scope="module")
def offline_page(browser, made_up_run, tmp_path_factory):
    from jaxosim.viewer.page import write_page

    return write_page(made_up_run, tmp_path_factory.mktemp("page") / "run.html", rate=10)


def test_the_page_plays_offline_and_pauses(browser, offline_page):
    context = browser.new_context(viewport=SIZE, device_scale_factor=0.5, offline=True)
    page, requests = context.new_page(), []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(offline_page.as_uri())
    assert wait_until(lambda: canvas(page).std() > 4)  # something is drawn
    before = canvas(page)
    assert wait_until(lambda: differs(canvas(page), before))  # and moves
    page.mouse.click(22, SIZE["height"] - 20)  # pause

    def stands():
        one = canvas(page)
        time.sleep(1.5)
        return not differs(one, canvas(page))

    assert wait_until(stands)
    assert not [url for url in requests if not re.match("(file|blob|data):", url)]
    context.close()


class Served:
    """A web viewer that ticks in a thread while a browser looks at it."""

    def __init__(self, run):
        from jaxosim.viewer.web import WebViewer

        self.viewer = WebViewer(run, port=18200)
        self._open = True
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def _tick(self):
        while self._open:
            self.viewer.tick()
            time.sleep(0.03)

    def close(self):
        self._open = False
        self._thread.join(timeout=20)
        self.viewer.close()


@pytest.fixture
def serve(browser):
    served = []

    def start(run):
        served.append(Served(run))
        return served[-1].viewer

    yield start
    for one in served:
        one.close()


def opened(browser, viewer):
    page = browser.new_page(viewport=SIZE, device_scale_factor=0.5)  # fewer pixels to draw
    page.goto(viewer.url)
    assert wait_until(lambda: canvas(page).std() > 4)
    return page


@pytest.mark.slow
def test_a_run_plays_in_the_viewer(browser, serve, made_up_run):
    viewer = serve(made_up_run)
    page = opened(browser, viewer)
    assert page.get_by_text("made_up.npz").count() >= 1
    before = viewer.moment
    assert wait_until(lambda: viewer.moment != before)
    page.get_by_label("play", exact=True).first.click()
    assert wait_until(lambda: not viewer.playing.value)
    page.close()


def test_a_coordinate_slider_poses_the_model(browser, serve, walker):
    model, params = walker
    viewer = serve(Run.still(model, params, default_state(params)))
    page = opened(browser, viewer)
    before = canvas(page)
    box = page.locator("input[type=text], input[type=number]").first
    box.fill("0.6")
    box.press("Enter")
    first = int(np.flatnonzero(~model.locked)[0])
    assert wait_until(lambda: abs(float(viewer.state.q[first]) - 0.6) < 0.01)
    assert wait_until(lambda: differs(canvas(page), before))
    page.close()


def test_excitations_drive_the_simulation(browser, serve):
    import jaxosim

    model, params = jaxosim.load_model("arm2dof6musc")
    viewer = serve(Run.still(model, params, default_state(params)))
    viewer.excitations[model.muscle_names.index("BRA")].value = 1.0
    viewer.simulating.value = True
    assert wait_until(lambda: float(viewer.state.time) > 0.1)
    viewer.simulating.value = False
    brachialis = model.muscle_names.index("BRA")
    activation = np.asarray(viewer.state.activation)
    assert activation[brachialis] > 2 * np.delete(activation, brachialis).max()


def test_the_server_answers_this_machine_only(serve, walker):
    """It listens on loopback, and paths of files lead nowhere."""
    import http.client

    model, params = walker
    viewer = serve(Run.still(model, params, default_state(params)))
    host, port = re.fullmatch(r"http://([\d.]+):(\d+)", viewer.url).groups()
    assert host == "127.0.0.1"
    outside = socket.gethostbyname(socket.gethostname())
    if not outside.startswith("127."):
        with pytest.raises(OSError):
            socket.create_connection((outside, int(port)), timeout=2).close()
    for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", path)
        assert b"root:" not in connection.getresponse().read()
        connection.close()


def test_a_live_viewer_follows_a_program(browser, walker, capsys):
    from jaxosim.viewer.live import LiveViewer

    model, params = walker
    state = default_state(params)
    viewer = LiveViewer(model, params, port=18300)
    try:
        assert "this machine only" in capsys.readouterr().out
        page = browser.new_page(viewport=SIZE, device_scale_factor=0.5)
        page.goto(viewer.url)
        assert viewer.wait_for_visitor(PATIENCE)
        viewer.show(state)
        assert wait_until(lambda: viewer.shown_count > 0)
        assert wait_until(lambda: canvas(page).std() > 4)
        page.close()
    finally:
        viewer.close()


def test_show_does_not_wait_for_the_picture(walker, monkeypatch):
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    from jaxosim.viewer.live import LiveViewer
    from jaxosim.viewer.stage import Stage

    model, params = walker
    state = default_state(params)
    started, go_on = threading.Event(), threading.Event()

    def held_up(*_):
        started.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(Stage, "show", held_up)
    viewer = LiveViewer(model, params, port=18400)
    try:
        monkeypatch.setattr(viewer._server, "get_clients", lambda: {0: None})
        viewer.show(state)
        assert started.wait(PATIENCE)
        for _ in range(100):
            viewer.show(state)  # while a picture is being made
        assert viewer.shown_count == 0
    finally:
        go_on.set()
        viewer.close()
