"""Add to an ASDM what ALMA's correlators deliver and CASA's exportasdm does not: autocorrelations and flags."""

import re
import struct
from pathlib import Path

import numpy as np

_SUBSET_END = b"\n--MIME_boundary-2--"
_DATA_HEADER_END = b"</dataStruct>\n</sdmDataHeader>"
_ZERO_LAGS = re.compile(rb"<zeroLags [^>]*/>")
_FLAGS = re.compile(rb'<flags size="\d+" axes="[^"]*"/>')
_FLAGS_PART = re.compile(rb"(Content-Location: [^\n]*/flags\.bin\n\n)(.*?)(\n--MIME_boundary-2\n)", re.DOTALL)

_ONE_REASON = 1 << 3


def add_autocorrelations(asdm: Path) -> None:
    """Rewrite an ASDM's binary files and configurations so that each integration has every antenna's own spectra.

    Parameters
    ----------
    asdm
        An ASDM as CASA's exportasdm writes it, with two polarisations; changed in place.
    """
    configurations = asdm / "ConfigDescription.xml"
    configurations.write_text(configurations.read_text().replace("CROSS_ONLY", "CROSS_AND_AUTO"))
    random = np.random.default_rng(0)
    for path in sorted((asdm / "ASDMBinary").iterdir()):
        path.write_bytes(_with_autocorrelations(path.read_bytes(), random))
    _correct_sizes(asdm)


def add_flags(asdm: Path) -> None:
    """Set a tenth of the binary files' flags, each of a baseline or antenna, a polarisation and an integration.

    Parameters
    ----------
    asdm
        An ASDM with autocorrelations: only the flags of such ones have axes that CASA's import knows.
    """
    random = np.random.default_rng(1)

    def flagged(match: re.Match[bytes]) -> bytes:
        reasons = np.frombuffer(match[2], "<u4").copy()
        reasons[random.random(reasons.size) < 0.1] = _ONE_REASON
        return match[1] + reasons.tobytes() + match[3]

    for path in sorted((asdm / "ASDMBinary").iterdir()):
        path.write_bytes(_FLAGS_PART.sub(flagged, path.read_bytes()))


def _with_autocorrelations(data: bytes, random: np.random.Generator) -> bytes:
    antennas = int(_found(rb"<numAntenna>(\d+)</numAntenna>", data))
    channels = int(_found(rb'numSpectralPoint="(\d+)"', data))
    baselines = antennas * (antennas - 1) // 2
    values, flags = antennas * channels * 2, (baselines + antennas) * 2
    head, *subsets = data.split(b'Content-Type: Multipart/Related; boundary="MIME_boundary-2"')
    head = head.replace(b"CROSS_ONLY", b"CROSS_AND_AUTO").replace(
        b'crossPolProducts="XX YY"', b'crossPolProducts="XX YY" sdPolProducts="XX YY"'
    )
    head = _FLAGS.sub(b'<flags size="%d" axes="BAL ANT POL"/>' % flags, head)
    auto = b'<autoData size="%d" axes="ANT SPP POL" normalized="false"/>\n' % values
    head = head.replace(_DATA_HEADER_END, auto + _DATA_HEADER_END)
    no_flags = struct.pack(f"<{flags}I", *([0] * flags))
    rewritten = [head]
    for subset in subsets:
        location = _found(rb"Content-Location: ([^\n]*)/desc\.xml", subset)
        spectra = random.uniform(0.9, 1.1, values).astype("<f4").tobytes()
        changed = subset.replace(b'xsi:type="BinaryCrossData"', b'xsi:type="BinaryCrossAndAutoData"')
        changed = _ZERO_LAGS.sub(b'<autoData xlink:href="%s/autoData.bin"/>' % location, changed)
        changed = _FLAGS_PART.sub(lambda match: match[1] + no_flags + match[3], changed, count=1)
        part = (
            b"\n--MIME_boundary-2\nContent-Type: binary/octet-stream\nContent-Location: %s/autoData.bin\n\n" % location
        )
        rewritten.append(changed.replace(_SUBSET_END, part + spectra + _SUBSET_END, 1))
    return b'Content-Type: Multipart/Related; boundary="MIME_boundary-2"'.join(rewritten)


def _correct_sizes(asdm: Path) -> None:
    """Let the Main table tell the sizes that the binary files have now."""
    main = asdm / "Main.xml"
    text = main.read_text()
    for path in (asdm / "ASDMBinary").iterdir():
        uid = path.name.replace("___", "://").replace("_", "/")
        text = re.sub(
            rf"(<dataSize> )\d+( </dataSize>(?:(?!</row>).)*?{re.escape(uid)}\")",
            rf"\g<1>{path.stat().st_size}\2",
            text,
            flags=re.DOTALL,
        )
    main.write_text(text)


def _found(pattern: bytes, data: bytes) -> bytes:
    match = re.search(pattern, data)
    if match is None:
        raise ValueError(f"the binary file has no {pattern!r}")
    return match[1]
