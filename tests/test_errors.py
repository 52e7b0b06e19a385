"""An error says what, where, and what to do, and survives the way between processes."""

from __future__ import annotations

import pickle

from apical.errors import ApicalError, nearest


def test_an_error_is_one_paragraph_with_its_remedy() -> None:
    error = ApicalError(
        "The table has no column 'EF'", where="FileList.csv", seen="3 columns", remedy="Add it"
    )
    assert str(error) == "FileList.csv: The table has no column 'EF'. Seen: 3 columns. Add it."


def test_an_error_comes_back_whole_from_a_worker() -> None:
    error = ApicalError("what", where="where", seen="seen", remedy="remedy")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_nearest_name_comes_first() -> None:
    assert nearest("camsu", ["camus", "tmed2"]) == "Did you mean 'camus'? There are: camus, tmed2"


def test_a_name_like_no_other_gets_the_whole_list() -> None:
    assert nearest("zzz", ["camus"]) == "There are: camus"
