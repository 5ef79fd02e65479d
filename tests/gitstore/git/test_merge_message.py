"""What the forges' words for a merge name, and who wrote it together."""

from __future__ import annotations

import pytest

from gitstore.git.commit_text import parse_commit
from gitstore.git.commits import Commit, Person
from gitstore.git.merge_message import MergeNote, co_authors, merge_note


def commit(message: str) -> Commit:
    made = parse_commit("0" * 40, b"tree " + b"0" * 40 + b"\n\n" + message.encode())
    assert made
    return made


MESSAGES = [
    ("GitHub", "Merge pull request #7 from ada/fix\n\nFix tiles", "#7", "ada/fix", "Fix tiles"),
    ("GitHub, squash", "Fix tiles (#7)\n\n* one\n* two", "#7", None, "Fix tiles"),
    (
        "GitLab",
        "Merge branch 'fix' into 'main'\n\nFix tiles\n\nSee merge request studio/jobtypes!34",
        *("!34", "fix", "Fix tiles"),
    ),
    (
        "GitLab, no title",
        "Merge branch 'fix' into 'main'\n\nSee merge request a/b!3",
        "!3",
        "fix",
        None,
    ),
    ("Gitea", "Merge pull request 'Fix tiles' (#7) from fix into main\n", "#7", "fix", "Fix tiles"),
    (
        "Bitbucket Server",
        "Pull request #5: Fix tiles\n\nMerge in PIPE/jobtypes from fix to main\n\n* commit 'abc'",
        *("#5", "fix", "Fix tiles"),
    ),
    (
        "Bitbucket Server, old",
        "Merge pull request #5 in PIPE/jobtypes from fix to main\n\n* commit 'abc'",
        *("#5", "fix", None),
    ),
    ("Bitbucket", "Merged in fix (pull request #5)\n\nFix tiles\n", "#5", "fix", "Fix tiles"),
    ("Azure", "Merged PR 12: Fix tiles", "!12", None, "Fix tiles"),
    ("Git", "Merge branch 'fix'", None, "fix", None),
    (
        "Git, remote",
        "Merge remote-tracking branch 'origin/fix' into main",
        None,
        "origin/fix",
        None,
    ),
    ("Git, octopus", "Merge branches 'a', 'b' and 'c'", None, "a, b, c", None),
    ("ours", "Merge fix: Fix tiles\n\nMerged-Branch: fix\n", None, "fix", "Fix tiles"),
    ("ours, with words", "tiles at last\n\nMerged-Branch: fix\n", None, "fix", None),
    ("none", "Fix tiles, see #7 and merge request !3", None, None, None),
    ("empty", "", None, None, None),
    ("many digits", f"Fix (#{'9' * 5000})", None, None, None),
]


@pytest.mark.parametrize(("forge", "message", "pull", "branch", "title"), MESSAGES)
def test_a_merge_names_its_pull_request_and_its_branch(forge, message, pull, branch, title):
    assert merge_note(commit(message)) == MergeNote(pull, branch, title)


def test_co_authors_count_wherever_they_stand():
    message = (
        "Fix\n\nCo-authored-by: Ada <ada@x>\n\nmore\n\nco-AUTHORED-by:  Bo \r\n"
        "Co-authored-by: Cy<cy@x>\nCo-authored-by:\nNot-co-authored-by: D <d@x>\n"
    )

    assert list(co_authors(commit(message))) == [
        Person("Ada", "ada@x"),
        Person("Bo", ""),
        Person("Cy", "cy@x"),
    ]


def test_what_a_message_holds_is_bounded():
    message = "Merge branch '" + "x" * 60_000 + "'\n" + "Co-authored-by: " + "y" * 3000 + "\n"
    many = "m\n\n" + "Co-authored-by: a\n" * 3000

    assert merge_note(commit(message)).branch is None
    assert [len(person.name) for person in co_authors(commit(message))] == [500]
    assert len(list(co_authors(commit(many)))) == 100
