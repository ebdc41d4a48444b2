"""Take pictures of the running demo for the README: each page on a desktop and a phone, light and dark.

uv pip install --python .venv-demo/bin/python --group pictures     # and a Chromium of the system
.venv-demo/bin/python -m scripts.screenshot docs /home/overview /config/devices/dashboard
"""

import argparse
import json
import re
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from scripts.demo_home import CREDENTIALS, DEMO_HOME, HOST

SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 860},
    "phone": {"width": 412, "height": 860},
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# No part of Chromium is to talk to the internet, and none needs a graphics card.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SETTLE_MS = 3000  # cards fetch their history after the page is up


def picture(browser: Browser, url: str, tokens: str, size: str, scheme: Literal["light", "dark"], file: Path) -> None:
    """Take one picture of a page, signed in."""
    context = browser.new_context(
        viewport=SIZES[size], color_scheme=scheme, device_scale_factor=2, service_workers="block", locale="en-GB"
    )
    context.add_init_script(f"localStorage.setItem('hassTokens', {json.dumps(tokens)})")
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#ha-launch-screen", state="detached")
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file)
    context.close()


def main() -> None:
    """Take the pictures that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts/screenshot", description="Pictures of the running demo.")
    parser.add_argument("folder", type=Path, help="where to put the pictures")
    parser.add_argument("pages", nargs="+", help="paths of pages, like /home/overview")
    parser.add_argument("--home", type=Path, default=DEMO_HOME, help="folder of the home (default that of the demo)")
    parser.add_argument("--port", type=int, default=8123, help="where Home Assistant listens (default 8123)")
    options = parser.parse_args()

    address = f"http://{HOST}:{options.port}"
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("scripts/screenshot: there is no Chromium here; on Debian: apt-get install chromium")
    token = json.loads((options.home / CREDENTIALS).read_text(encoding="utf-8"))["token"]
    far = 2**42  # milliseconds; the token is never to be renewed from here
    tokens = json.dumps(
        {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 1800,
            "expires": far,
            "refresh_token": "",
            "hassUrl": address,
            "clientId": f"{address}/",
        }
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for path, size, scheme in product(options.pages, SIZES, SCHEMES):
            name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"
            file = options.folder / f"{name}-{size}-{scheme}.png"
            picture(browser, address + path, tokens, size, scheme, file)
            print(file)
        browser.close()


if __name__ == "__main__":
    main()
