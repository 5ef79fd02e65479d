"""The pages for browsers."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from gitstore.branch.upstream import Upstream
from gitstore.git.commits import Signature
from tests.support.branches import Branch, jobtype
from tests.support.git import git
from tests.support.pages import BROWSER, page, text

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def farm(branch: Branch) -> FlaskClient:
    """A client of a service with three versions of Maya, whose first was withdrawn."""
    software = "versions:\n- {version: '2015', rank: 1}\n- {version: '2016', rank: 2}\n"
    branch.commit({"software/maya.yaml": software}, "software\n")
    branch.commit(jobtype("Maya", "# 1\n"), f"Maya: {SCRIPT}\n")
    branch.commit(jobtype("Maya", f"# {SCRIPT}\n", "max_batch: 10\n"))
    meta = "max_batch: 5\nrequirements:\n- {software: maya, min_version: '2016'}\n"
    branch.commit(jobtype("Maya", "# 3\n", meta) | {"withdrawn.yaml": "Maya: [1]\n"}, "Maya: fix\n")
    side = branch.side(jobtype("Nuke"), "Nuke: begin\n")
    git(branch.path, "update-ref", "refs/heads/td/nuke", side)
    return create_app(Config(branch.path)).test_client()


def test_the_first_page_says_who_made_the_newest_version(farm):
    shown = text(page(farm, "/"))

    assert re.search(r"Maya 3 \S+ \S+ Test TD Maya: fix maya", shown)
    assert "1 change pushed for review" in shown
    assert re.search(r"Lately Maya 3 .*Maya: fix", shown)


def test_jobtypes_are_found_by_a_part_of_their_name_in_any_case(farm, branch):
    branch.commit(jobtype("Blender"))

    assert "1 of 2 jobtypes" in text(page(farm, "/?q=AYA"))
    assert "/jobtypes/Blender" not in page(farm, "/?q=AYA").split("<aside>")[0]
    assert "No jobtype has that in its name" in text(page(farm, "/?q=none"))


def test_jobtypes_are_sorted_by_name_or_by_their_newest_version(farm, branch):
    branch.commit(jobtype("Zeta"))

    def order(path: str) -> list[str]:
        return re.findall(r'<th scope="row"><a href="/jobtypes/([^"]+)"', page(farm, path))

    assert order("/") == order("/?sort=odd") == ["Maya", "Zeta"]
    assert order("/?sort=date") == ["Zeta", "Maya"]


def test_a_newest_version_that_is_broken_is_marked(farm, branch):
    branch.commit({"jobtypes/Maya/code.py": b"\xff\n"}, "Maya: break\n")

    assert "Maya 3 4 is broken" in text(page(farm, "/"))
    assert "Version 4 is newer, and not in service." in text(page(farm, "/jobtypes/Maya"))
    broken = text(page(farm, "/jobtypes/Maya/4"))
    assert "Why it is broken error jobtypes/Maya/code.py:1 this line is no UTF-8" in broken


def test_a_jobtypes_page_shows_code_fields_requirements_and_its_history(farm):
    html = page(farm, "/jobtypes/Maya")
    shown = text(html)

    assert re.search(r"3 in service .* 2 in service .* 1 withdrawn", shown)
    assert 'href="/jobtypes/Maya/compare?from=2&amp;to=3"' in html
    assert 'id="L1"' in html
    assert '<span class="k">class</span>' in html
    assert "max_batch 5" in shown
    assert 'href="/software/maya">maya</a> 2016 or newer' in html


def test_a_version_has_its_neighbours_and_what_changed_since(farm):
    html = page(farm, "/jobtypes/Maya/2")

    assert 'rel="prev" href="/jobtypes/Maya/1"' in html
    assert 'rel="next" href="/jobtypes/Maya/3"' in html
    assert "Changed since, up to 3" in text(html)
    assert "withdrawn" in text(page(farm, "/jobtypes/Maya/1"))
    assert 'href="/api/v1/jobtypes/Maya' not in page(farm, "/jobtypes/Maya/1")


def test_a_version_says_who_wrote_merged_and_withdrew_it(farm, branch):
    ada, bob = Signature("Ada", "ada@x", None), Signature("Bob", "bob@x", None)
    side = branch.side(jobtype("Maya", "# 4\n"), "Maya: four\n", author=ada)
    files = jobtype("Maya", "# 4\n")
    branch.commit(files, "Merge td/four: Maya: four\n", merged=(side,), author=bob, committer=bob)
    branch.commit({"withdrawn.yaml": "Maya: [1, 4]\n"}, "Maya: it leaks\n", author=bob)

    story = text(page(farm, "/jobtypes/Maya/4"))
    assert "Written by Ada ada@x Merged by Bob bob@x" in story
    assert "State withdrawn Maya: it leaks By Bob" in story
    assert "Changed max_batch, maya Files code.py meta.yaml Commit" in story
    assert re.search(
        r"4 withdrawn Maya: it leaks .*Ada \(merged by Bob\)", text(page(farm, "/jobtypes/Maya"))
    )
    assert "Maya 4 withdrawn Maya: it leaks Bob" in text(page(farm, "/"))


def test_each_line_says_who_wrote_it_and_when_it_changed_again(farm):
    shown = text(page(farm, "/jobtypes/Maya/2/blame"))

    assert re.search(r"since version 1 1 class Job : 2 pass", shown)
    assert re.search(r"since version 2 , changed in version 3 3 # <script>", shown)
    assert farm.get("/jobtypes/Maya/9/blame", headers=BROWSER).status_code == 404


def test_code_is_searched_if_asked_for(farm):
    assert "in code" not in text(page(farm, "/?q=maya")).partition("names and code")[2]

    found = page(farm, "/?q=JOB&in=code")
    assert 'href="/?q=JOB&amp;sort=date&amp;in=code"' in found

    assert 'href="/jobtypes/Maya/3#L1">Maya 3, code.py:1</a> <code>class Job:</code>' in found


def test_a_readme_is_rendered_below_the_headings_of_the_page(farm, branch):
    readme = "# Maya\n\n#### Deep\n\n[good](https://example.org) ![a cat](https://evil/cat.png)\n"
    branch.commit({"jobtypes/Maya/README.md": readme})

    html = page(farm, "/jobtypes/Maya")

    assert "<h3>Maya</h3>" in html
    assert "<h4>Deep</h4>" in html
    assert '<a href="https://example.org" rel="nofollow noopener noreferrer">good</a>' in html
    assert "<i>a cat</i>" in html
    assert "<img" not in html


def test_every_link_of_every_page_leads_somewhere(farm):
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            answer = farm.get(path, headers=BROWSER)
            assert answer.status_code == 200, path
            if answer.mimetype != "text/html":
                continue
            links = re.findall(r'(?:href|src)="([^"#]+)', answer.text)
            waiting += [unescape(link) for link in links]

    assert {"/changes/td/nuke", "/jobtypes/Maya/compare?from=2&to=3", "/software/maya"} <= seen


# Differences


def test_a_difference_is_a_page_for_browsers_alone(farm):
    led = farm.get("/diff/Maya/2..3", headers=BROWSER)
    for accept in ("*/*", "text/plain", "text/plain, text/html", ""):
        answer = farm.get("/diff/Maya/2..3", headers={"Accept": accept})
        assert answer.content_type == "text/plain; charset=utf-8", accept
        assert answer.headers["Vary"] == "Accept"

    assert (led.status_code, led.location) == (302, "/jobtypes/Maya/compare?from=2&to=3")
    html = page(farm, led.location)
    assert '<ins><span class="c"># 3</span></ins>' in html
    assert '<del><span class="c"># &lt;script&gt;' in html


def test_fields_and_requirements_differ_in_words(farm):
    shown = text(page(farm, "/jobtypes/Maya/compare?from=2&to=3"))

    assert "max_batch 10 -> 5 requires maya 2016 or newer" in shown


def test_lines_stand_next_to_each_other_or_one_under_the_other(farm):
    unified = page(farm, "/jobtypes/Maya/compare?from=2&to=3&view=odd")
    split = page(farm, "/jobtypes/Maya/compare?from=2&to=3&view=split")

    for html in (unified, split):
        assert html.count("<ins>") == html.count("<del>") + 2
    assert re.search(r"<del>.*</tr>\s*<tr>.*<ins>", unified)
    assert re.search(r"<tr>.*<del>.*<ins>.*</tr>", split)


def test_without_numbers_the_newest_version_is_compared_with_the_one_before(farm):
    assert "Maya: version 2 to version 3" in text(page(farm, "/jobtypes/Maya/compare"))
    assert "Maya: version 1 to version 2" in text(page(farm, "/jobtypes/Maya/compare?to=2"))
    assert '<option value="2" selected>' in page(farm, "/jobtypes/Maya/compare?to=002")


def test_a_version_is_compared_with_a_change(farm, branch):
    side = branch.side(jobtype("Maya", "# 4\n"), "Maya: more\n")
    git(branch.path, "update-ref", "refs/heads/td/maya", side)

    html = page(farm, "/jobtypes/Maya/compare?from=3&to=td/maya")

    assert '<ins><span class="c"># 4</span></ins>' in html
    assert 'href="/changes/td/maya">the change td/maya' in html
    git(branch.path, "update-ref", "refs/heads/td/none", "main~3")
    for key in ("td/none", "never", "9"):
        path = f"/jobtypes/Maya/compare?from=3&to={key}"
        assert farm.get(path, headers=BROWSER).status_code == 404, key
    branch.commit({"withdrawn.yaml": "Maya: [1, 3]\n"})
    # Without a number, with what agents get.
    assert "Maya: version 2 to" in text(page(farm, "/jobtypes/Maya/compare?to=td/maya"))


# Software


def test_software_shows_versions_by_rank_and_who_requires_it(farm):
    listed, shown = text(page(farm, "/software/")), text(page(farm, "/software/maya"))

    assert "maya 2015, 2016 1" in listed
    assert re.search(r"2016 2 .*2015 1 ", shown)
    assert "Maya 3 2016 or newer met" in shown
    assert "Maya 3 2016 or newer too old" in text(page(farm, "/software/maya?version=2015"))


# Changes


def test_a_change_says_what_merging_it_makes(farm, branch):
    shown = text(page(farm, "/changes/td/nuke"))

    assert "Merging it makes: Nuke: new jobtype, version 1" in shown
    assert "Test TD td@studio.example Nuke: begin" in shown
    assert re.search(r"Nuke is number 1\d{9} at this address", shown)
    assert "/preview/td/nuke/api/v1/jobtypes/Nuke" in shown
    assert "td/nuke ready Nuke: new jobtype, version 1" in text(page(farm, "/changes/"))

    branch.commit(jobtype("Nuke", "# other\n"))
    shown = text(page(farm, "/changes/td/nuke"))
    assert "It does not merge. It conflicts in jobtypes/Nuke/" in shown
    assert "merge the served branch into it, and push again" in shown
    assert "td/nuke conflict" in text(page(farm, "/changes/"))


def test_problems_stand_at_their_lines(farm, branch):
    side = branch.side({**jobtype("Bad", "def :\n"), "jobtypes/Bad/meta.yaml": "max_batch: ten\n"})
    git(branch.path, "update-ref", "refs/heads/td/bad", side)

    html = page(farm, "/changes/td/bad")

    said = re.findall(r"<tr>.*?</td></tr>\s*<tr class=\"said\">.*?</tr>", html, re.S)
    assert [re.search(word, row) for word, row in zip((":", "ten"), said, strict=True)]
    assert "invalid syntax" in text(said[0])
    assert "max_batch must be an integer" in text(said[1])
    assert "td/bad errors" in text(page(farm, "/changes/"))


def test_a_change_names_all_its_authors_and_leads_to_what_agents_get(farm, branch):
    ada, bob = Signature("Ada", "ada@x", None), Signature("Bob", "bob@x", None)
    first = branch.side(jobtype("Maya", "# 4\n"), "Maya: four\n", author=ada)
    second = branch.side(jobtype("Maya", "# 5\n"), "Maya: five\n", onto=first, author=bob)
    git(branch.path, "update-ref", "refs/heads/td/two", second)

    assert "td/two ready Maya: version 4 (was 3) Ada, Bob Maya: five" in text(
        page(farm, "/changes/")
    )
    html = page(farm, "/changes/td/two")
    assert 'href="/jobtypes/Maya/compare?to=td/two">Maya</a></p>' in html
    assert "Maya: version 3 to the change td/two" in text(
        page(farm, "/jobtypes/Maya/compare?to=td/two")
    )


def test_merged_changes_are_in_a_list_of_their_own(farm, branch):
    git(branch.path, "update-ref", "refs/heads/td/done", branch.tip)

    waiting, merged = page(farm, "/changes/"), page(farm, "/changes/?list=merged")

    assert "1 waiting 1 merged" in text(waiting)
    assert "td/done" not in waiting
    assert "td/done merged" in text(merged)
    assert "td/nuke" not in merged
    assert "It is merged." in text(page(farm, "/changes/td/done"))


# Every page


def test_what_stands_in_the_repository_is_escaped_and_could_run_nothing(farm):
    for path in ("/", "/jobtypes/Maya", "/jobtypes/Maya/compare?from=1&to=2", "/changes/td/nuke"):
        answer = farm.get(path, headers=BROWSER)

        scripts = re.findall(r"<script[^>]*>", answer.text)
        assert [s for s in scripts if not s.startswith('<script src="/static/')] == [], path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in policy
    assert "&lt;script&gt;" in page(farm, "/jobtypes/Maya")


def test_our_files_stay_in_the_browser_until_they_change(farm):
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page(farm, "/"))

    assert len(links) == 3
    for link in links:
        answer = farm.get(link)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        _, _, digest, name = link.split("/")
        other = farm.get(f"/static/0{digest[1:]}0/{name}")
        assert (other.data, other.headers["Cache-Control"]) == (answer.data, "no-cache")
        assert answer.headers["ETag"] == other.headers["ETag"]
    old = farm.get("/style.css")
    assert (old.status_code, old.location) == (302, next(k for k in links if "css" in k))
    assert farm.get("/static/0/other.css").status_code == 404


def test_a_deleted_jobtype_still_says_who_changed_it(farm, branch):
    branch.commit({"jobtypes/Maya/code.py": None, "jobtypes/Maya/meta.yaml": None})

    assert re.search(r"3 deleted .* 1 deleted", text(page(farm, "/jobtypes/Maya")))
    assert "Maya deleted" in text(page(farm, "/"))


def test_a_jobtype_without_a_version_in_service_has_its_page(farm, branch):
    branch.commit({"withdrawn.yaml": "Maya: [1, 2, 3]\n"})

    assert "no version is in service" in text(page(farm, "/"))
    assert "No version is in service. Agents get none." in text(page(farm, "/jobtypes/Maya"))


def test_a_refused_upstream_shows_on_every_page(farm, branch, tmp_path):
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), str(origin))
    client = create_app(Config(branch.path, upstream=str(origin))).test_client()
    upstream: Upstream = parts_of(client.application).follower.upstream
    for path in ("/", "/changes/", "/jobtypes/Maya"):
        assert 'class="notice' not in page(client, path)

    git(origin, "update-ref", "refs/heads/main", "main~1")
    assert upstream.fetch().name == "refused"

    for path in ("/", "/changes/"):
        shown = text(page(client, path))
        assert "Upstream is not followed: upstream's main was rewritten" in shown


def test_the_first_page_says_how_upstream_and_the_mirror_are(farm, branch, tmp_path):
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), str(origin))
    followed = create_app(Config(branch.path, upstream=str(origin))).test_client()
    mirrored = create_app(Config(branch.path, mirror=f"sqlite:///{tmp_path}/farm")).test_client()

    assert f"following Upstream: {origin}" in text(page(followed, "/"))
    assert f"pending The master's tables: sqlite:///{tmp_path}/farm" in text(page(mirrored, "/"))


def test_an_empty_repository_has_its_pages(client):
    assert "There is no jobtype yet" in text(page(client, "/"))
    assert "There is no software yet" in text(page(client, "/software/"))
    assert "0 waiting 0 merged" in text(page(client, "/changes/"))


def test_damaged_objects_are_named_on_every_page(farm, branch):
    blob = git(branch.path, "rev-parse", "main~1:jobtypes/Maya/code.py").strip()
    (branch.path / "objects" / blob[:2] / blob[2:]).unlink()
    assert farm.get("/api/v1/jobtypes/Maya/versions/2/code").status_code == 500

    for path in ("/", "/changes/"):
        assert f"Damaged objects: {blob}" in text(page(farm, path))
