"""What an accessibility checker (axe-core) finds on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def grave_problems(page: Page) -> list[str]:
    """What would keep people from taking part, each with the places where it is; empty where there is nothing."""
    found = Axe().run(page).response["violations"]
    return [
        f"{problem['id']} ({problem['impact']}): {problem['help']}: {[node['target'] for node in problem['nodes']]}"
        for problem in found
        if problem["impact"] in GRAVE
    ]
