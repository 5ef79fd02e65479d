"""What people do with a browser, in a real Chromium, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.axe import hold_for_everybody
from tests.support.chromium import NARROW, Visitor, chromium, visitor
from tests.support.demo import make_demo
from tests.support.plain_browser import PlainBrowser
from tests.support.server import Server

pytestmark = pytest.mark.browser


@dataclass
class Studio:
    """A protected service with the demo, and the tokens of a lead, a reviewer and an admin."""

    server: Server
    secrets: dict[str, str]

    def json(self, path: str) -> object:
        return self.server.get(f"/api/v1/{path}").json


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    path = tmp_path_factory.mktemp("walks") / "demo.git"
    make_demo(path)
    tokens = Tokens(path)
    roles = {"Lena Lead": Role.WRITE, "Rob": Role.WRITE, "Eve": Role.ADMIN}
    secrets = {
        name: tokens.create(name, role, f"{name[:3].lower()}@studio.example", ())
        for name, role in roles.items()
    }
    server = Server(path, "--workers", "1", "--protect", "--require-approvals", "1")
    yield Studio(server, secrets)
    server.stop()


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=["with scripts", "without"])
def scripts(request) -> bool:
    return request.param == "with scripts"


def log_in(visit: Visitor, studio: Studio, name: str) -> None:
    """Log in by the form that the page leads to."""
    visit.page.context.clear_cookies()
    visit.look(NARROW, "light")
    visit.open("/")
    visit.follow("Log in")
    visit.page.get_by_label("Token").fill(studio.secrets[name])
    visit.press("Log in")
    assert visit.page.get_by_role("link", name=name).count() == 1


@pytest.fixture(scope="module")
def visit(browser, studio, scripts) -> Iterator[Visitor]:
    with visitor(browser, studio.server.url, scripts) as made:
        yield made
        # Chromium counts the status of a page with faults as an error of its own.
        made.faults = [fault for fault in made.faults if "the server responded with" not in fault]


def test_a_lead_proposes_a_reviewer_comments_and_merges(visit, studio, scripts):
    page = visit.page
    before = studio.json("jobtypes/Blender")["version"]
    log_in(visit, studio, "Lena Lead")
    visit.follow("Blender")
    visit.follow("Edit")
    batch = page.get_by_label("Most frames of one assignment")
    batch.fill("ten")
    visit.press("Check")
    assert "must be an integer, not 'ten'" in page.locator("#max_batch-problem").inner_text()
    if scripts:
        hold_for_everybody(visit, "edit-with-a-fault")
        visit.look(NARROW, "light")
    assert batch.input_value() == "ten"
    wanted = "3" if scripts else "2"
    batch.fill(wanted)
    page.get_by_label("What you changed, and why").fill("Fewer frames, for the small machines")
    visit.press("Save")
    assert "/changes/web/Lena_Lead/Blender-" in page.url
    change = page.url.removeprefix(studio.server.url)

    log_in(visit, studio, "Rob")
    visit.open(change)
    assert visit.overflow() <= 0
    page.get_by_label("Comment", exact=True).fill("Why not <4>?")
    page.get_by_label("File", exact=True).fill("jobtypes/Blender/meta.yaml")
    page.get_by_label("Line", exact=True).fill("3")
    visit.press("Comment")
    assert page.locator(".comments .comment-text").inner_text() == "Why not <4>?"
    assert page.locator(".diff .comment-text").inner_text() == "Why not <4>?"
    visit.press("Approve")
    assert page.get_by_text("1 of 1 approvals").count() == 1
    if scripts:
        hold_for_everybody(visit, "change-approved")
    visit.press("Merge")
    assert page.locator("h1").inner_text() == f"Released as Blender {before + 1}"
    if scripts:
        hold_for_everybody(visit, "released")
    assert studio.json("jobtypes/Blender")["max_batch"] == int(wanted)


def test_two_leads_save_at_once_and_nothing_is_lost(visit, studio, scripts):
    log_in(visit, studio, "Lena Lead")
    visit.open("/jobtypes/Nuke/edit")
    area = visit.page.get_by_label("code.py", exact=True)
    mine = area.input_value() + "# mine\n"
    area.fill(mine)
    eve = PlainBrowser(studio.server.port).log_in(studio.secrets["Eve"])
    eve.open("/jobtypes/Nuke/edit").send("save", description=f"Hers, {scripts}")

    visit.press("Save")

    assert visit.page.get_by_text("Somebody else saved Nuke meanwhile: Eve").count() == 1
    assert area.input_value() == mine
    if scripts:
        hold_for_everybody(visit, "conflict")
        visit.look(NARROW, "light")
    visit.press("Save")
    assert "/changes/web/Lena_Lead/Nuke-" in visit.page.url
    visit.page.get_by_label("Comment", exact=True).fill("x")
    visit.page.get_by_label("Line", exact=True).fill("1")
    visit.press("Comment")
    assert visit.page.get_by_text("a line needs the path of its file").count() > 0
    if scripts:
        hold_for_everybody(visit, "not-done")


def test_a_link_from_another_site_logs_nobody_out(visit, studio):
    log_in(visit, studio, "Rob")
    page = visit.page
    # The machine's other name is another site.
    elsewhere = f"http://localhost:{studio.server.port}/"
    page.goto(f"{elsewhere}health/live")
    page.set_content(f'<a href="{studio.server.url}/jobtypes/Nuke/edit">Look at this</a>')

    visit.follow("Look at this")

    visit.faults = [fault for fault in visit.faults if elsewhere not in fault]

    assert page.get_by_role("link", name="Rob").count() == 1
    visit.open("/")
    assert page.get_by_role("link", name="Rob").count() == 1


def test_a_td_pastes_a_traceback(visit, scripts):
    visit.open("/whose")
    text = 'File "/cache/Blender_Blender_v3.py", line 5, in <module>'
    visit.page.get_by_label("Traceback").fill(text)
    visit.press("Find out")

    assert "Blender, version 3, line 5" in visit.page.locator("h2").first.inner_text()
    if scripts:
        hold_for_everybody(visit, "whose")


def test_an_admin_adds_a_software_version_and_withdraws_a_version(visit, studio, scripts):
    page = visit.page
    log_in(visit, studio, "Eve")
    visit.open("/software/blender")
    visit.follow("Edit")
    if scripts:
        hold_for_everybody(visit, "edit-software")
        visit.look(NARROW, "light")
    new = page.locator("fieldset.version").nth(-2)
    version = "99.1" if scripts else "99.2"
    new.get_by_label("Version").fill(version)
    new.get_by_text("Discovery code").click()
    new.get_by_label("Function").fill("found")
    new.get_by_label("Code").fill("def found():\n    return True\n")
    visit.press("Save")
    assert visit.overflow() <= 0
    rows = studio.json("software/blender/versions/")
    assert rows[-1]["version"] == version

    number = studio.json("jobtypes/Maya")["version"] if scripts else None
    if number is None:
        return
    visit.open(f"/jobtypes/Maya/{number}")
    visit.follow("Withdraw")
    page.get_by_label("Why").fill("It eats frames")
    hold_for_everybody(visit, "withdraw")
    visit.press("Withdraw")
    assert studio.server.get(f"/api/v1/jobtypes/Maya/versions/{number}").status == 404
    visit.open(f"/jobtypes/Maya/{number}/restore")
    page.get_by_label("Why").fill("It was the disk")
    visit.press("Restore")
    assert studio.json("jobtypes/Maya")["version"] == number
    newest = studio.json("jobtypes/Blender")["version"]
    visit.open("/jobtypes/Blender/1")
    visit.follow("Roll back to this version")
    page.get_by_label("Why").fill("It was better")
    hold_for_everybody(visit, "rollback")
    visit.press("Roll back")
    assert studio.json("jobtypes/Blender")["version"] == newest + 1


PAGES = {
    "login": "/login",
    "me": "/me",
    "new": "/new",
    "edit": "/jobtypes/Blender/edit",
    "new-software": "/new-software",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_a_form_is_for_everybody(visit, studio, scripts, name):
    if not scripts:
        log_in(visit, studio, "Rob")
        assert visit.open(PAGES[name]) == 200
        assert visit.overflow() <= 0
        return
    assert visit.open(PAGES[name]) == 200

    hold_for_everybody(visit, f"form-{name}")
