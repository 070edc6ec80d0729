"""The stand-alone page and the web viewer in a headless Chromium: they play, and sliders move."""

import dataclasses
import errno
import http.client
import io
import pathlib
import re
import socket
import threading
import time

import numpy as np
import pytest

from jaxosim.viewer.motion import Motion
from jaxosim.viewer.scene import default_state

PATIENCE = 150  # s: software rendering on a busy machine
SIZE = {"width": 640, "height": 480}
WIDE = {"width": 1200, "height": 700}  # the whole model stands beside the viewer's controls


def screenshot(page):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return np.asarray(image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def canvas(page, width=0.7):
    """The page below the browser's warning, and left of the controls where it has some."""
    image = screenshot(page)
    height = len(image)
    return image[height * 3 // 10 : height * 85 // 100, : int(width * image.shape[1])]


def differs(one, other):
    """Whether more than two pixels in a thousand have changed visibly."""
    return (np.abs(one - other).max(axis=-1) > 30).mean() > 0.002


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.3)
    return False


@pytest.fixture(scope="module")
def offline_page(browser, made_up_run, tmp_path_factory):
    from jaxosim.viewer.html import write_html

    return write_html(made_up_run, tmp_path_factory.mktemp("page") / "motion.html", rate=10)


def test_a_full_disk_leaves_the_old_page(offline_page, made_up_run, monkeypatch):
    from jaxosim.viewer.html import write_html

    def fail(path, *arguments, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    old = offline_page.read_bytes()
    monkeypatch.setattr(pathlib.Path, "write_text", fail)
    with pytest.raises(OSError, match=f"cannot write {offline_page}: No space left"):
        write_html(made_up_run, offline_page, rate=10)
    assert offline_page.read_bytes() == old
    assert list(offline_page.parent.iterdir()) == [offline_page]


def test_the_page_plays_offline_and_pauses(browser, offline_page):
    context = browser.new_context(viewport=SIZE, device_scale_factor=0.5, offline=True)
    context.set_default_timeout(1000 * PATIENCE)
    page, requests = context.new_page(), []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(offline_page.as_uri())
    assert wait_until(lambda: canvas(page, 1.0).std() > 4)  # something is drawn
    before = canvas(page, 1.0)
    assert wait_until(lambda: differs(canvas(page, 1.0), before))  # and moves
    page.mouse.click(22, SIZE["height"] - 20)  # pause

    assert wait_until(lambda: stands(page, 1.0))
    assert not [url for url in requests if not re.match("(file|blob|data):", url)]
    context.close()


class Served:
    """A web viewer that ticks in a thread while a browser looks at it."""

    def __init__(self, motion):
        from jaxosim.viewer.web import WebViewer

        self.viewer = WebViewer(motion, port=18200)
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
def serve():
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    served = []

    def start(motion):
        served.append(Served(motion))
        return served[-1].viewer

    yield start
    for one in served:
        one.close()


def opened(browser, viewer):
    page = browser.new_page(viewport=WIDE, device_scale_factor=0.5)  # fewer pixels to draw
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(viewer.url)
    assert wait_until(lambda: canvas(page).std() > 4)
    return page


def stands(page, width=0.7):
    """Whether the image has come to rest; the viewer fades its scene in."""
    one = canvas(page, width)
    time.sleep(1.5)
    return np.array_equal(one, canvas(page, width))


@pytest.mark.slow
def test_a_run_plays_in_the_viewer(browser, serve, walker_run):
    viewer = serve(walker_run)
    page = opened(browser, viewer)
    assert page.get_by_text("made_up.npz").count() >= 1
    before = viewer.moment
    assert wait_until(lambda: viewer.moment != before)
    page.get_by_label("play", exact=True).first.click()
    assert wait_until(lambda: not viewer.playing.value)
    page.close()


def test_a_coordinate_slider_poses_the_model(browser, serve, arm):
    model, params = arm
    viewer = serve(Motion.still(model, params, default_state(params)))
    page = opened(browser, viewer)
    assert wait_until(lambda: stands(page))
    before = canvas(page)
    box = page.locator("input[type=text], input[type=number]").first
    box.fill("0.6")
    box.press("Enter")
    assert wait_until(lambda: abs(float(viewer.state.q[0]) - 0.6) < 0.01)
    assert wait_until(lambda: differs(canvas(page), before))
    page.close()


def test_controls_drive_the_simulation(serve, arm, monkeypatch):
    """Each slider's level comes to its muscle, and the clock goes on."""

    def follow(model, params, state, controls):
        return dataclasses.replace(state, time=state.time + 0.01, activation=controls)

    monkeypatch.setattr("jaxosim.viewer.web.step", follow)  # the mechanics have tests of their own
    monkeypatch.setattr("jaxosim.viewer.web.equilibrate_muscles", lambda *given: given[-1])
    model, params = arm
    viewer = serve(Motion.still(model, params, default_state(params)))
    viewer.controls[model.muscle_names.index("BRA")].value = 1.0
    viewer.simulating.value = True
    assert wait_until(lambda: float(viewer.state.time) > 0.15)  # a tick brings 0.1 s at most
    viewer.simulating.value = False
    expected = np.where(np.array(model.muscle_names) == "BRA", 1.0, 0.05)
    np.testing.assert_allclose(viewer.state.activation, expected)
    assert len(viewer._series()[0]) >= 2  # the plot has followed


@pytest.mark.slow
def test_controls_bend_the_elbow(serve, arm):
    model, params = arm
    viewer = serve(Motion.still(model, params, default_state(params)))
    viewer.controls[model.muscle_names.index("BRA")].value = 1.0
    viewer.simulating.value = True
    assert wait_until(lambda: float(viewer.state.time) > 0.1)
    viewer.simulating.value = False
    brachialis = model.muscle_names.index("BRA")
    activation = np.asarray(viewer.state.activation)
    assert activation[brachialis] > 2 * np.delete(activation, brachialis).max()


def address_of(viewer):
    host, port = re.fullmatch(r"http://([\d.]+):(\d+)", viewer.url).groups()
    return host, int(port)


def visit(viewer, origin):
    """A visitor's connection, as the browser makes it for a page of this origin."""
    client = pytest.importorskip("websockets.sync.client")
    version = f"viser-v{pytest.importorskip('viser').__version__}"
    host, port = address_of(viewer)
    return client.connect(f"ws://{host}:{port}", origin=origin, subprotocols=[version])


def camera_message():
    """What viser's page sends first: only then it counts as a visitor."""
    sizes = {"fov": 1.0, "near": 0.1, "far": 10.0, "image_height": 9, "image_width": 9}
    zero, up = (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    pose = {"wxyz": (1.0, *zero), "position": zero, "look_at": zero, "up_direction": up}
    message = {"type": "ViewerCameraMessage", **sizes, **pose}
    return pytest.importorskip("msgspec").msgpack.encode(message)


def test_the_server_answers_this_machine_only(serve, arm):
    """It listens on loopback, paths of files lead nowhere, other sites' pages are turned away."""
    model, params = arm
    viewer = serve(Motion.still(model, params, default_state(params)))
    host, port = address_of(viewer)
    assert host == "127.0.0.1"
    outside = socket.gethostbyname(socket.gethostname())
    if not outside.startswith("127."):
        with pytest.raises(OSError):
            socket.create_connection((outside, port), timeout=2).close()
    for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd"):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 404 and b"root:" not in answer.read()
        connection.close()
    for origin in (viewer.url, f"http://localhost:{port}"):
        with visit(viewer, origin) as visitor:
            assert visitor.recv(timeout=PATIENCE)
    for origin in ("https://other.example", f"{viewer.url}.other.example", "null"):
        with pytest.raises(Exception, match="403"):
            visit(viewer, origin)


def test_names_from_a_file_are_plain_text(serve, arm, monkeypatch):
    """In markdown a name could stand for an image, which viser would read from this disk."""
    viser = pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    texts = []
    monkeypatch.setattr(viser.GuiApi, "add_markdown", lambda gui, text: texts.append(text))
    model, params = arm
    still = Motion.still(model, params, default_state(params))
    serve(dataclasses.replace(still, name="![x](/etc/passwd)<b>"))
    assert texts == ["**??x?(/etc/passwd)?b?**: arm2dof6musc"]


def test_a_live_viewer_follows_a_program(arm, capsys):
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    from jaxosim.viewer.live import LiveViewer

    model, params = arm
    asked = threading.Event()
    viewer = LiveViewer(model, params, port=18300)
    try:
        assert "this machine only" in capsys.readouterr().out
        viewer.show(default_state(params), target_velocity=asked.set)
        time.sleep(0.2)
        assert viewer.shown_count == 0 and not asked.is_set()  # nobody looks: nothing is drawn
        with visit(viewer, viewer.url) as visitor:
            visitor.send(camera_message())
            assert viewer.wait_for_visitor(PATIENCE)
            assert wait_until(lambda: viewer.shown_count > 0)
        assert asked.is_set()
    finally:
        viewer.close()


def test_show_does_not_wait_for_the_picture(arm, monkeypatch):
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    from jaxosim.viewer.live import LiveViewer
    from jaxosim.viewer.viser_scene import ViserScene

    model, params = arm
    state = default_state(params)
    started, go_on = threading.Event(), threading.Event()

    def held_up(*_):
        started.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(ViserScene, "show", held_up)
    viewer = LiveViewer(model, params, port=18400)
    try:
        monkeypatch.setattr(viewer._server, "get_clients", lambda: {0: None})
        viewer.show(state)
        assert started.wait(PATIENCE)
        for _ in range(100):
            viewer.show(state)  # while an image is being made
        assert viewer.shown_count == 0
    finally:
        go_on.set()
        viewer.close()
