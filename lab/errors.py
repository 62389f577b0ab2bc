"""The one exception that users of the lab meet."""


class LabError(Exception):
    """A failure that a user can act on: who or what failed, why, what now.

    Args:
        summary: One line: what was tried, and what went wrong.
        detail: What was seen, such as the tool's own words; may have many lines.
        hint: The next command, or what to look at.
    """

    def __init__(self, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail.strip()
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.summary]
        lines += [f"  {line}" for line in self.detail.splitlines()]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)
