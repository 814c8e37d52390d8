"""What an ASDM promises by its own tables: its fields, and the rows that its MeasurementSet must have."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from lxml import etree

from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files import UnsafeXmlError, read_xml

# Main.xml of the longest observations has some 10 000 rows of 1 KB.
MAX_TABLE_BYTES = 512 * 2**20
# ASDM times count nanoseconds from 1858-11-17 (modified Julian day 0); Unix time begins 40587 days later.
_UNIX_EPOCH_NS = 40_587 * 86_400 * 10**9


Rows = Callable[[str], Sequence[etree._Element]]
"""The rows of a table by its name; raises ValueError or UnsafeXmlError if it is no such table."""


@dataclass(frozen=True, kw_only=True)
class AsdmPromise:
    """What a complete import of an ASDM gives.

    Attributes
    ----------
    rows_by_field
        Rows of the MeasurementSet by field name; fields that were never observed have 0.
    start
        When the observation began, whole seconds of Unix time.
    """

    rows_by_field: dict[str, int]
    start: int

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields in the order of the Field table."""
        return tuple(self.rows_by_field)

    @property
    def rows(self) -> int:
        """Rows of the whole MeasurementSet."""
        return sum(self.rows_by_field.values())

    def share(self, size: int, selected: Sequence[str]) -> int:
        """Tell how much of ``size`` bytes is of the selected fields, by their rows; all if none is selected."""
        if not selected or not self.rows:
            return size
        return round(size * sum(self.rows_by_field.get(name, 0) for name in selected) / self.rows)


def rows_in(table: Callable[[str], bytes]) -> Rows:
    """Give the rows of tables, each of which is read once.

    Parameters
    ----------
    table
        Gives the bytes of a table's XML by its name, e.g. ``Main``.
    """
    return cache(lambda name: tuple(_rows(table(name), name)))


def read_promise(rows_of: Rows) -> AsdmPromise:
    """Work out what an ASDM promises.

    Parameters
    ----------
    rows_of
        Gives the rows of a table, see `rows_in`.

    Raises
    ------
    BlockFailedError
        If a table cannot be read or refers to rows that are not there (``asdm_incomplete``).
    """
    try:
        names = {text_of(row, "fieldId"): text_of(row, "fieldName") for row in rows_of("Field")}
        configurations = {
            text_of(row, "configDescriptionId"): _Configuration.read(row) for row in rows_of("ConfigDescription")
        }
        counts: Counter[str] = Counter(dict.fromkeys(names.values(), 0))
        times = []
        for row in rows_of("Main"):
            counts[names[text_of(row, "fieldId")]] += configurations[text_of(row, "configDescriptionId")].rows(row)
            times.append(int(text_of(row, "time")))
        return AsdmPromise(rows_by_field=dict(counts), start=(min(times) - _UNIX_EPOCH_NS) // 10**9)
    except (UnsafeXmlError, KeyError, ValueError) as error:
        raise BlockFailedError(
            ReasonCode.ASDM_INCOMPLETE, f"the ASDM's tables cannot be read or do not fit together: {error}"
        ) from error


def check_selection(selected: Sequence[str], fields: Sequence[str]) -> None:
    """Make sure that every selected field is in the data; case counts.

    Raises
    ------
    BlockFailedError
        If one is not (``field_not_found``), naming it and the fields that there are.
    """
    missing = [name for name in selected if name not in fields]
    if missing:
        raise BlockFailedError(
            ReasonCode.FIELD_NOT_FOUND,
            f"not in the data: {', '.join(missing)}; the fields of the data are: {', '.join(fields)}",
        )


@dataclass(frozen=True)
class _Configuration:
    """How a processor was set up: what one integration becomes in a MeasurementSet."""

    data_descriptions: int
    cross: bool
    auto: bool

    @classmethod
    def read(cls, row: etree._Element) -> "_Configuration":
        mode = text_of(row, "correlationMode")
        return cls(
            data_descriptions=int(text_of(row, "numDataDescription")),
            cross=mode in ("CROSS_ONLY", "CROSS_AND_AUTO"),
            auto=mode in ("AUTO_ONLY", "CROSS_AND_AUTO"),
        )

    def rows(self, main: etree._Element) -> int:
        antennas, integrations = int(text_of(main, "numAntenna")), int(text_of(main, "numIntegration"))
        pairs = antennas * (antennas - 1) // 2 * self.cross + antennas * self.auto
        return integrations * pairs * self.data_descriptions


def _rows(data: bytes, name: str) -> Iterator[etree._Element]:
    """Yield the rows of a table's XML; raise ValueError or UnsafeXmlError if it is no such table."""
    root = read_xml(data, max_bytes=MAX_TABLE_BYTES)
    if etree.QName(root).localname != f"{name}Table":
        raise ValueError(f"{name}.xml is not a {name} table but <{root.tag}>")
    return root.iterfind("row")


def text_of(row: etree._Element, name: str) -> str:
    """Return the text of a row's element; raise ValueError if it has none."""
    text = row.findtext(name)
    if text is None:
        raise ValueError(f"a row in line {row.sourceline} lacks {name}")
    return text.strip()
