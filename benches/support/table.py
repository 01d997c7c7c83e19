"""What was measured, as rows of one table."""

from dataclasses import dataclass


@dataclass
class Row:
    """One figure beside that of a peer."""

    goal: str
    what: str
    ours: float
    theirs: float | None
    unit: str
    #: What `ratio` should be at least; for `at_most`, at most. None where the issue sets no goal.
    wanted: float | None
    #: Ours to theirs, larger is better unless `at_most`. Without a peer: the figure itself.
    ratio: float
    at_most: bool = False

    @property
    def met(self):
        if self.wanted is None:
            return None
        return self.ratio <= self.wanted if self.at_most else self.ratio >= self.wanted

    def cells(self):
        sign = "<=" if self.at_most else ">="
        wanted = "" if self.wanted is None else f"{sign} {self.wanted:g}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        theirs = "" if self.theirs is None else f"{self.theirs:.3g}"
        return [self.goal, self.what, f"{self.ours:.3g} {self.unit}", theirs, f"{self.ratio:.2f}", wanted, met]

    def line(self):
        goal, what, ours, theirs, ratio, wanted, met = self.cells()
        return f"{goal:4} {what:64} {ours:>14} {theirs:>8} {ratio:>8}  {wanted:8} {met.strip('*')}"


HEAD = ["goal", "what", "ours", "theirs", "ratio", "wanted", "met"]


def table(rows):
    """The rows in Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
