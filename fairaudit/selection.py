"""Which records are audited and by what they are grouped: shared by all audits of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.groups import Attribute, Bins, Grouping
from fairaudit.table import MISSING_VALUES, USUAL_NAMES, Table


@dataclass(frozen=True)
class Selection:
    """The shared options of all audits of tables.

    Attributes
    ----------
    attributes : tuple of Attribute
        What to group by.
    cluster : str or None
        Column of what was sampled independently.
    bins : tuple of Bins
        Numeric attributes to cut.
    where : str or None
        SQL condition on the columns.
    na : tuple of str
        What stands for a missing attribute.
    """

    attributes: tuple[Attribute, ...]
    cluster: str | None
    bins: tuple[Bins, ...]
    where: str | None
    na: tuple[str, ...]

    @classmethod
    def of(
        cls,
        by: str | Sequence[str],
        cluster: str | None,
        bins: str | Sequence[str],
        where: str | None,
        na: Sequence[str],
    ) -> Selection:
        """Read the options as the user gives them.

        Raises
        ------
        FairauditError
            If one cannot be read.
        """
        attributes = {text: Attribute.parse(text) for text in _several(by)}
        cuts = tuple(Bins.parse(text) for text in _several(bins))
        if len({cut.column for cut in cuts}) < len(cuts):
            raise FairauditError("--bins: expected each column once only.")
        return cls(tuple(attributes.values()), cluster, cuts, where, tuple(na))

    def resolve(self, table: Table) -> Selection:
        """Check all columns against a table, and find the cluster's.

        Raises
        ------
        FairauditError
            If a column is missing, or bins are given for one that is no attribute.
        """
        grouped = {name for attribute in self.attributes for name in attribute.columns}
        for name in grouped:
            table.column(name)
        for cut in self.bins:
            if cut.column not in grouped:
                raise FairauditError(
                    f"--bins {cut.column}: no attribute of --by is called '{cut.column}'."
                )
        return replace(self, cluster=self._cluster(table))

    def _cluster(self, table: Table) -> str | None:
        """The cluster's column; ``speaker`` finds the usual names of the field as well."""
        name = self.cluster
        if name in USUAL_NAMES["speaker"] and name not in table.names:
            name = table.guess("speaker", "--cluster") or name
        return None if name is None else table.column(name).name

    def grouping(self, columns: Sequence[str]) -> Grouping:
        """Start adding up these counts."""
        return Grouping(self.attributes, self.cluster, self.bins, self.na, columns)

    def settings(self) -> dict[str, Any]:
        """For the signature: what is not as by default."""
        return {
            "by": _listed(attribute.name for attribute in self.attributes),
            "cluster": self.cluster,
            "bins": ";".join(f"{cut.column}={cut.edges}" for cut in self.bins) or None,
            "where": self.where,
            "na": None if self.na == MISSING_VALUES else _listed(self.na),
        }

    def notes(self, table: Table) -> Iterator[str]:
        """What a reader must know where no cluster was given."""
        if self.cluster is None:
            likely = [name for name in table.names if name.lower() in USUAL_NAMES["speaker"]]
            hint = f" Column '{likely[0]}' may be one: --cluster {likely[0]}" if likely else ""
            yield (
                "Records are taken to be independent, as no --cluster was given; intervals are "
                f"too narrow where several come from one person.{hint}"
            )


def _listed(texts: Iterable[str]) -> str | None:
    """Texts joined by commas, a comma within one escaped; None where there is none."""
    return ",".join(text.replace(",", r"\,") for text in texts) or None


def _several(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
