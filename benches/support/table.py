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
    #: Processor seconds for each GiB, of client and of server; None where that was not looked at.
    our_cpu: list[float] | None = None
    their_cpu: list[float] | None = None

    @property
    def met(self):
        if self.wanted is None:
            return None
        return self.ratio <= self.wanted if self.at_most else self.ratio >= self.wanted

    def cells(self):
        sign = "<=" if self.at_most else ">="
        wanted = "" if self.wanted is None else f"{sign} {self.wanted:g}"
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        theirs = "" if self.theirs is None else figure(self.theirs)
        ours, ratio = f"{figure(self.ours)} {self.unit}", f"{self.ratio:.2f}"
        return [self.goal, self.what, ours, theirs, ratio, wanted, met, self.cpu()]

    def cpu(self):
        if self.our_cpu is None:
            return ""
        sides = [self.our_cpu, self.their_cpu or []]
        return " / ".join("+".join(f"{seconds:.2f}" for seconds in side) or "?" for side in sides)

    def line(self):
        goal, what, ours, theirs, ratio, wanted, met, cpu = self.cells()
        return f"{goal:4} {what:64} {ours:>14} {theirs:>8} {ratio:>8}  {wanted:8} {met.strip('*'):4} {cpu}"


def figure(value):
    """Three digits that count."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 999.5 else f"{value:.3g}"


HEAD = ["goal", "what", "ours", "theirs", "ratio", "wanted", "met", "CPU client + server, ours / theirs"]


def table(rows):
    """The rows in Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
