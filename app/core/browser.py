"""Finding the Chromium or Chrome of this machine. Standard library only, because the set-up uses it."""

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
MAC_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
VARIABLE = "MENTORSPAN_CHROMIUM"


def find_browser() -> str | None:
    """The path of the browser: the one named by MENTORSPAN_CHROMIUM, else the first that is installed."""
    named = os.environ.get(VARIABLE)
    if named:
        return named if os.access(named, os.X_OK) else None
    for name in NAMES:
        if found := shutil.which(name):
            return found
    return next((place for place in MAC_PLACES if Path(place).exists()), None)


def how_to_install() -> str:
    """The one command that installs a browser here."""
    if sys.platform == "darwin":
        return "brew install --cask chromium"
    if shutil.which("apt-get"):
        return "sudo apt-get install chromium"
    if shutil.which("dnf"):
        return "sudo dnf install chromium"
    return f"install Chromium or Chrome, or name one in {VARIABLE}"
