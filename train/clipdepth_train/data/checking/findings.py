"""What was found wrong with a set: one entry a kind, with its first place, and not a line for each pair."""

from dataclasses import dataclass, field


@dataclass
class Finding:
    """One kind of fault, or of something to know."""

    kind: str
    remedy: str
    is_fault: bool = True
    """Whether training would stop or learn something false; else it is good to know."""
    count: int = 0
    first: str = ""

    def line(self) -> str:
        """As it is told: how often, what, where first, what to do."""
        return f"{self.count} × {self.kind}, first {self.first}; {self.remedy}"


@dataclass
class Findings:
    """The kinds that were found, in the order in which they were."""

    kinds: dict[str, Finding] = field(default_factory=dict)

    def add(self, kind: str, where: str, remedy: str, is_fault: bool = True) -> None:
        """Count one."""
        finding = self.kinds.setdefault(kind, Finding(kind, remedy, is_fault, first=where))
        finding.count += 1

    @property
    def faults(self) -> list[Finding]:
        """What has to be mended."""
        return [finding for finding in self.kinds.values() if finding.is_fault]

    @property
    def notes(self) -> list[Finding]:
        """What is good to know."""
        return [finding for finding in self.kinds.values() if not finding.is_fault]
