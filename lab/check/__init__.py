"""Is a reader's cluster the one of the book? The same, the same by other names, or another in meaning.

`check` runs snippets and compares; `identity` knows which names mean the same in both
clusters; `renaming` applies them; `causes` explains what is left.
"""

from lab.check.compare import check, judge
from lab.check.report import EXPECTED, MEANING, SAME, Checked, Report

__all__ = ["EXPECTED", "MEANING", "SAME", "Checked", "Report", "check", "judge"]
