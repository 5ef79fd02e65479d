"""What reviewers do with a change: comment on it, approve, merge and close it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, url_for

from api.pages.forms import Faults, Form, parse_whole, read_kept_form, require_sure, see_other
from api.pages.rendering import page
from api.rest.comments import ApprovalBody, CommentBody
from api.web import auth
from api.web.bodies import typed
from api.web.errors import status_of
from api.web.merging import merge_change
from api.web.parts import parts
from gitstore.branch.access import Access, Role
from gitstore.branch.discussion import Approvals, Discussion, may_take_back
from gitstore.branch.review_log import Entry, Thread
from gitstore.branch.writing import Writer
from gitstore.errors import BadRequest, ReadOnly, StoreError
from gitstore.format.layout import is_id, parse_id

_FIELDS = {name: name for name in ("text", "path", "line")}


@dataclass(frozen=True, slots=True)
class Talk:
    """What the page of a change shows of its review, at its last *commit*."""

    thread: Thread
    approvals: Approvals
    access: Access
    has_approved: bool
    commit: str

    @property
    def may_write(self) -> bool:
        """Whether the reader may say something, too."""
        return self.access.role >= Role.WRITE

    def may_delete(self, entry: Entry) -> bool:
        """Whether the reader may delete the comment *entry*."""
        return may_take_back(self.access, entry)

    def at_lines(self) -> dict[tuple[str, int], list[Entry]]:
        """The comments on lines of the change's last commit, by path and line."""
        found: dict[tuple[str, int], list[Entry]] = defaultdict(list)
        for entry in self.thread.entries:
            if entry.commit == self.commit and entry.path and entry.line:
                found[entry.path, entry.line].append(entry)
        return found


def talk(branch: str) -> Talk | None:
    """The comments on the change on *branch*, and its approvals; None with an upstream."""
    access, discussion = auth.current(), _discussion()
    try:
        thread, approvals = discussion.comments(branch), discussion.approvals(branch)
    except ReadOnly:
        return None
    given = (*approvals.counted, *approvals.others)
    has_approved = any(e.is_by(access.name) and e.commit == approvals.commit for e in given)
    return Talk(thread, approvals, access, has_approved, approvals.commit)


def act(branch: str) -> Response:
    """Do with a change what the form asks for; without a button's name, comment."""
    form, lost = read_kept_form()
    action = form.get("do", "comment")
    try:
        if lost is not None:
            raise lost
        if action not in _ACTIONS:
            raise BadRequest("the form asks for what this page does not do", "do")
        return see_other(_ACTIONS[action](branch, form, _writer()))
    except StoreError as error:
        faults = Faults()
        faults.add_error(error, _FIELDS)
        return page(
            "change_action.html",
            status=status_of(error),
            branch=branch,
            action=action,
            form=form,
            faults=faults,
            tip=_tip(branch),
        )


def _discussion() -> Discussion:
    return parts().reviews.discussion


def _writer() -> Writer:
    return Writer(auth.current())


def _tip(branch: str) -> str:
    """The commit that the change is at, empty if it is gone."""
    try:
        return parts().reviews.change(branch).commit.id
    except StoreError:
        return ""


def _change_page(branch: str, place: str = "talk") -> str:
    return url_for("pages.change", branch=branch, _anchor=place)


def _comment(branch: str, form: Form, writer: Writer) -> str:
    values: dict[str, object] = {"text": form.get("text", "")}
    values |= {"commit": form.get("commit") or None, "path": form.get("path", "").strip() or None}
    values["line"] = parse_whole(form.get("line", "").strip())
    body = typed(CommentBody, values)
    entry = _discussion().comment(branch, writer, body.text, body.commit, body.path, body.line)
    return _change_page(branch, f"comment-{entry.number}")


def _uncomment(branch: str, form: Form, writer: Writer) -> str:
    number = form.get("number", "")
    _discussion().take_back_comment(branch, parse_id(number) if is_id(number) else 0, writer)
    return _change_page(branch)


def _approve(branch: str, form: Form, writer: Writer) -> str:
    body = typed(ApprovalBody, {"commit": form.get("commit", "")})
    _discussion().approve(branch, writer, body.commit)
    return _change_page(branch)


def _unapprove(branch: str, form: Form, writer: Writer) -> str:
    _discussion().take_back_approval(branch, writer)
    return _change_page(branch)


def _merge(branch: str, form: Form, writer: Writer) -> str:
    # Not a MergeBody, which may name none: a page shows one.
    body = typed(ApprovalBody, {"commit": form.get("commit", "")})
    merged = merge_change(branch, writer, "delete_branch" in form, body.commit)
    return url_for("forms.released", commit=merged.commit)


def _close(branch: str, form: Form, writer: Writer) -> str:
    require_sure(form, f"closing deletes the branch {branch}, with commits that are nowhere else")
    parts().reviews.delete(branch, writer.access)
    return url_for("pages.changes")


_ACTIONS: Mapping[str, Callable[[str, Form, Writer], str]] = {
    "comment": _comment,
    "uncomment": _uncomment,
    "approve": _approve,
    "unapprove": _unapprove,
    "merge": _merge,
    "close": _close,
}
"""What can be asked for. Each gives the page to look at next."""
