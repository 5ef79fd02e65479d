"""Names that meet: jobtypes whose modules the released agent takes for one another."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitstore.checks.past import by_stem, meeting
from tests.support.depth import examples

TEXT = st.tuples(st.sampled_from("ab"), st.text("ab012", max_size=4)).map("".join)
"""A name of a jobtype or of a class: neither begins with a digit."""

NUMBERS = [*range(1, 130), *range(200, 230), *range(1000, 1025)]
"""Version numbers enough for texts of two digits more than another."""


def modules(classname: str, name: str) -> set[str]:
    """The modules of the first versions, and of none yet: two of them may meet in it."""
    return {f"{classname}{name}", *(f"{classname}{name}{number}" for number in NUMBERS)}


@settings(max_examples=examples(100), deadline=None)
@given(st.sets(TEXT, max_size=12), TEXT, TEXT, st.sampled_from(["a", "b1", "a0"]))
def test_few_are_looked_at_and_none_is_overlooked(names, classname, name, theirs):
    module = f"{classname}{name}"

    found = set(meeting(by_stem(tuple(names)), module))

    for other in names:
        if modules(classname, name) & modules(theirs, other) - {module, f"{theirs}{other}"}:
            assert (theirs, other) in found
    for prefix, other in found:
        assert other in names
        assert f"{prefix}{other}".startswith(module) or module.startswith(f"{prefix}{other}")


def test_ten_thousand_names_that_end_with_numbers_are_not_compared_with_all():
    names = tuple(f"Job{number:05d}" for number in range(10_000))

    found = list(meeting(by_stem(names), "Job00012Job00012"))

    # The longer ones would have to begin with Job00012, the shorter ones end in between.
    assert found == [("Job00012", "Job00012")]
