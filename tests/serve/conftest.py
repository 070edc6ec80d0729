"""The browser of the viewer's tests."""

from tests.viewer.conftest import browser as browser
