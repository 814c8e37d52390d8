"""Pack a MOUS as it is delivered when people calibrated it by hand: scripts that calibrate anew, and no tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from contracts.identifiers import ExecBlockUid, MousUid
from observatory.blocks_spec import MadeBlock
from observatory.calibration import casa_intent
from observatory.casa_scripts.plan import Intent, observing_plan
from observatory.products_names import ARCHIVE_PREFIX
from observatory.products_tar import write_tgz
from shared.pipeline_files import ApplyCall, read_calapply

_CALIBRATION = "scriptForCalibration.txt"
_FOR_PI = "scriptForPI.txt"
_TEMPLATES = Path(__file__).parent / "by_hand_templates"


@dataclass(frozen=True, kw_only=True)
class HandMadeProducts:
    """What is delivered of a MOUS that was calibrated by hand, each under its name in the archive."""

    script_for_pi: Path
    calibration_scripts: dict[ExecBlockUid, Path]
    supporting: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, by name."""
        return tuple(sorted([self.script_for_pi, self.supporting, *self.calibration_scripts.values()]))


def write_hand_made(
    mous_uid: MousUid, blocks: Sequence[MadeBlock], *, into: Path, casa_version: str | None = None
) -> HandMadeProducts:
    """Write the scripts of a MOUS below a directory, and the tar of what they need besides.

    Parameters
    ----------
    blocks
        The made blocks; each script gives the block's truth, to the bit.
    into
        Directory for the files; created if need be. The same input gives the same bytes.
    casa_version
        The only CASA that the scripts accept, as they write it (``4.7.2``); that which made the blocks by default.
    """
    into.mkdir(parents=True, exist_ok=True)
    prefix = f"{ARCHIVE_PREFIX}{mous_uid.file_form}."
    for_pi, supporting = into / f"{prefix}scriptForPI.py", into / f"{mous_uid.file_form}.supporting.tgz"
    for_pi.write_text(_template(_FOR_PI).template)
    write_tgz(supporting, [("README.txt", b"Scripts need nothing besides the raw data.\n")])
    scripts = {}
    for block in blocks:
        path = into / f"{prefix}{block.ms_name}.scriptForCalibration.py"
        version = casa_version or ".".join(block.facts.casa_version.replace("-", ".").split(".")[:3])
        path.write_text(calibration_script(block, casa_version=version))
        scripts[block.spec.eb_uid] = path
    return HandMadeProducts(script_for_pi=for_pi, calibration_scripts=scripts, supporting=supporting)


def calibration_script(block: MadeBlock, *, casa_version: str) -> str:
    """Write the script that calibrates a block from its raw data, in steps as such scripts have them."""
    plan = observing_plan(block.spec.size)
    calls = read_calapply(block.calapply.read_bytes(), eb_uid=block.spec.eb_uid)
    target = next(call for call in calls if call.intent == Intent.TARGET.pipeline_name)
    other = next(call for call in calls if call.intent == Intent.BANDPASS.pipeline_name)
    flux = plan.field_for(Intent.FLUX)
    return _template(_CALIBRATION).substitute(
        casa_version=casa_version,
        asdm=block.asdm.name,
        vis=block.ms_name,
        flags=repr(list(block.facts.flag_commands)),
        bandpass_field=plan.field_for(Intent.BANDPASS).name,
        flux_field=flux.name,
        phase_field=plan.field_for(Intent.PHASE).name,
        calibrators=",".join(plan.field_for(intent).name for intent in Intent if intent is not Intent.TARGET),
        flux_jy=repr(flux.flux_jy),
        reffreq=f"{plan.channels_hz(0).mean()}Hz",
        spws=repr(list(range(plan.spw_count))),
        tsys=target.gaintable[0],
        bandpass=target.gaintable[1],
        phase_scan=target.gaintable[2],
        phase_int=other.gaintable[2],
        flux=target.gaintable[3],
        calls="\n".join(f"  applycal({_arguments(call)})" for call in calls),
    )


def _arguments(call: ApplyCall) -> str:
    arguments = {
        "vis": call.vis,
        "field": call.field,
        "intent": casa_intent(call.intent),
        "spw": call.spw,
        "antenna": call.antenna,
        "gaintable": list(call.gaintable),
        "gainfield": list(call.gainfield),
        "spwmap": [list(spws) for spws in call.spwmap],
        "interp": list(call.interp),
        "calwt": list(call.calwt),
        "parang": False,
        "applymode": "calflagstrict",
        "flagbackup": False,
    }
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())


def _template(name: str) -> Template:
    return Template((_TEMPLATES / name).read_text(encoding="utf-8"))
