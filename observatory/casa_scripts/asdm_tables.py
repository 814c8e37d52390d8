"""Make the tables of an exported ASDM say what ALMA's would: scans, intents, sources, Tsys and project."""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lxml import etree

from observatory.casa_scripts.plan import SUBSCAN_S, Intent, ObservingPlan, ScanPlan
from observatory.casa_scripts.sky import POLARISATIONS, Reals

Row = etree._Element
NANOSECONDS = 1_000_000_000


class Table:
    """One XML table of an ASDM, written back on :meth:`save`."""

    def __init__(self, asdm: Path, name: str) -> None:
        self.name = name
        self._path = asdm / f"{name}.xml"
        self._tree = etree.parse(self._path)

    @property
    def rows(self) -> list[Row]:
        """The table's rows in order."""
        return self._tree.getroot().findall("row")

    def replace_rows(self, rows: list[Row]) -> None:
        """Put these rows in the place of those there are."""
        root = self._tree.getroot()
        for row in self.rows:
            root.remove(row)
        root.extend(rows)

    def save(self) -> None:
        """Write the table in the encoding that CASA expects."""
        self._tree.write(self._path, encoding="ISO-8859-1", xml_declaration=True)


def changed(row: Row, **values: object) -> Row:
    """Copy a row with other texts in the elements named; an element that is not there yet is added."""
    new = copy.deepcopy(row)
    for tag, value in values.items():
        element = new.find(tag)
        if element is None:
            element = etree.SubElement(new, tag)
        element.text = f" {value} "
    return new


def text_of(row: Row, tag: str) -> str:
    """Give the text of a row's element without the spaces around it."""
    return (row.findtext(tag) or "").strip()


def rewrite_tables(asdm: Path, plan: ObservingPlan, mous_uid: str, tsys_k: Reals) -> None:
    """Rewrite the tables where exportasdm writes one OBSERVE_TARGET scan of an unnamed project.

    Parameters
    ----------
    tsys_k
        System temperatures, shape (antennas, spws, channels, polarisations).
    """
    start_ns = min(int(text_of(row, "startTime")) for row in Table(asdm, "ExecBlock").rows)
    subscans = _rewrite_main(asdm, plan, start_ns)
    _rewrite_scans(asdm, plan, start_ns)
    _rewrite_subscans(asdm, plan, start_ns, subscans)
    _rewrite_exec_block(asdm, plan, start_ns, mous_uid)
    _rewrite_spectral_windows(asdm)
    _rewrite_sources(asdm, plan)
    _write_tsys(asdm, plan, start_ns, tsys_k)
    _rewrite_container(asdm)


def _place(plan: ObservingPlan, elapsed_ns: int) -> tuple[ScanPlan, int]:
    """Find the scan, and the number of the subscan in it, at a time since the start."""
    elapsed_s = elapsed_ns / NANOSECONDS
    scan = next(scan for scan in plan.scans if scan.start_s <= elapsed_s < scan.end_s)
    return scan, 1 + int((elapsed_s - scan.start_s) // SUBSCAN_S)


def _rewrite_main(asdm: Path, plan: ObservingPlan, start_ns: int) -> dict[tuple[int, int], int]:
    """Number scans and subscans; give the integrations of each (scan, subscan)."""
    table, rows, integrations = Table(asdm, "Main"), [], {}
    for row in table.rows:
        scan, subscan = _place(plan, int(text_of(row, "time")) - start_ns)
        numbers = {"scanNumber": scan.number, "subscanNumber": subscan}
        rows.append(changed(row, **numbers, execBlockId="ExecBlock_0"))
        integrations[scan.number, subscan] = int(text_of(row, "numIntegration"))
    table.replace_rows(rows)
    table.save()
    return integrations


def _span_ns(start_ns: int, start_s: float, end_s: float) -> dict[str, int]:
    return {
        "startTime": start_ns + round(start_s * NANOSECONDS),
        "endTime": start_ns + round(end_s * NANOSECONDS),
    }


def _rewrite_scans(asdm: Path, plan: ObservingPlan, start_ns: int) -> None:
    table = Table(asdm, "Scan")
    rows = [
        changed(
            table.rows[0],
            scanNumber=scan.number,
            numSubscan=(scan.end_s - scan.start_s) // SUBSCAN_S,
            scanIntent=f"1 1 {scan.field.intent}",
            **_span_ns(start_ns, scan.start_s, scan.end_s),
        )
        for scan in plan.scans
    ]
    for row, scan in zip(rows, plan.scans, strict=True):
        etree.SubElement(row, "sourceName").text = f" {scan.field.name} "
    table.replace_rows(rows)
    table.save()


def _rewrite_subscans(asdm: Path, plan: ObservingPlan, start_ns: int, integrations: dict[tuple[int, int], int]) -> None:
    table = Table(asdm, "Subscan")
    rows = []
    for scan in plan.scans:
        for number in range(1, (scan.end_s - scan.start_s) // SUBSCAN_S + 1):
            start_s = scan.start_s + SUBSCAN_S * (number - 1)
            count = integrations[scan.number, number]
            rows.append(
                changed(
                    table.rows[0],
                    scanNumber=scan.number,
                    subscanNumber=number,
                    fieldName=scan.field.name,
                    numIntegration=count,
                    numSubintegration=f"1 {count} " + "0 " * count,
                    **_span_ns(start_ns, start_s, start_s + SUBSCAN_S),
                )
            )
    table.replace_rows(rows)
    table.save()


def _rewrite_exec_block(asdm: Path, plan: ObservingPlan, start_ns: int, mous_uid: str) -> None:
    table = Table(asdm, "ExecBlock")
    row = changed(
        table.rows[0],
        observerName="synthetic",
        configName="C43-3",
        observingLog='1 1 "made by simulation"',
        **_span_ns(start_ns, 0, plan.scans[-1].end_s),
    )
    table.replace_rows([row])
    table.save()
    table = Table(asdm, "SBSummary")
    row = changed(table.rows[0], observingMode='1 1 "Standard Interferometry"')
    _refer(row, "obsUnitSetUID", mous_uid)
    table.replace_rows([row])
    table.save()


def _refer(row: Row, tag: str, uid: str) -> None:
    reference = row.find(f"{tag}/EntityRef")
    if reference is not None:
        reference.set("entityId", uid)


def _rewrite_spectral_windows(asdm: Path) -> None:
    table = Table(asdm, "SpectralWindow")
    rows = [
        changed(row, name=f"X0000000000#ALMA_RB_06#BB_{number}#SW-01#FULL_RES")
        for number, row in enumerate(table.rows, start=1)
    ]
    table.replace_rows(rows)
    table.save()


def _rewrite_sources(asdm: Path, plan: ObservingPlan) -> None:
    """Give each source a row per spectral window, as ALMA does; exportasdm writes the first only."""
    table = Table(asdm, "Source")
    rows = [
        changed(row, spectralWindowId=f"SpectralWindow_{spw}", code="none")
        for row in table.rows
        for spw in range(plan.spw_count)
    ]
    table.replace_rows(rows)
    table.save()


def tsys_scans(plan: ObservingPlan) -> Iterator[ScanPlan]:
    """Give the scans at whose start system temperatures are measured: every calibrator's."""
    return (scan for scan in plan.scans if scan.field.intent is not Intent.TARGET)


def _write_tsys(asdm: Path, plan: ObservingPlan, start_ns: int, tsys_k: Reals) -> None:
    """Write SysCal as an XML table in the place of exportasdm's empty binary one."""
    (asdm / "SysCal.bin").unlink()
    root = etree.parse(asdm / "SysCal.xml").getroot()
    for tag in ("BulkStoreRef", "Attributes"):
        etree.strip_elements(root, tag)
    for scan in tsys_scans(plan):
        mid_ns = start_ns + round((scan.start_s + SUBSCAN_S / 2) * NANOSECONDS)
        for antenna in range(plan.antenna_count):
            for spw in range(plan.spw_count):
                root.append(_tsys_row(antenna, spw, mid_ns, tsys_k[antenna, spw]))
    etree.ElementTree(root).write(asdm / "SysCal.xml", encoding="ISO-8859-1", xml_declaration=True)


def _tsys_row(antenna: int, spw: int, mid_ns: int, spectrum_k: Reals) -> Row:
    channels = spectrum_k.shape[0]
    numbers = " ".join(f"{value:.4f}" for value in np.ravel(spectrum_k.T))
    return changed(
        etree.Element("row"),
        timeInterval=f"{mid_ns} {SUBSCAN_S * NANOSECONDS}",
        numReceptor=POLARISATIONS,
        numChan=channels,
        tsysFlag="false",
        tsysSpectrum=f"2 {POLARISATIONS} {channels} {numbers}",
        antennaId=f"Antenna_{antenna}",
        feedId=0,
        spectralWindowId=f"SpectralWindow_{spw}",
    )


def _rewrite_container(asdm: Path) -> None:
    """Make ASDM.xml count the rows that there are now."""
    path = asdm / "ASDM.xml"
    tree = etree.parse(path)
    for entry in tree.getroot().findall("Table"):
        name = text_of(entry, "Name")
        if (asdm / f"{name}.xml").exists() and not (asdm / f"{name}.bin").exists():
            count = entry.find("NumberRows")
            if count is not None:
                count.text = f" {len(Table(asdm, name).rows)} "
    created = tree.getroot().find("TimeOfCreation")
    if created is not None:
        created.text = " 2018-10-01T12:00:00.000000000 "
    tree.write(path, encoding="ISO-8859-1", xml_declaration=True)
