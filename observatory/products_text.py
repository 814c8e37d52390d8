"""The scripts, logs and tables that the pipeline's export writes as text."""

from collections.abc import Iterable, Sequence

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.blocks_spec import MadeBlock
from observatory.products_xml import COMMANDS, ProcessingFacts, Sessions


def _in_order(sessions: Sessions) -> list[tuple[ExecBlockUid, SessionName]]:
    return [(eb, session) for session, ebs in sessions.items() for eb in ebs]


def _calls(lines: Iterable[str]) -> str:
    return "\n".join(["try:", *(f"    {line}" for line in lines), "finally:", "    h_save()"]) + "\n"


def restore_script(sessions: Sessions) -> str:
    """Write ``casa_piperestorescript.py``, which says which session each block belongs to."""
    vis = [eb.file_form for eb, _ in _in_order(sessions)]
    names = [str(session) for _, session in _in_order(sessions)]
    return "h_init()\n" + _calls([f"hifa_restoredata (vis={vis!r}, session={names!r}, ocorr_mode='ca')"])


def pipe_script(mous_uid: MousUid, sessions: Sessions, facts: ProcessingFacts) -> str:
    """Write ``casa_pipescript.py``: the recipe's commands in the pipeline's own calls."""
    vis = [f"../rawdata/{eb.file_form}" for eb, _ in _in_order(sessions)]
    names = [str(session) for _, session in _in_order(sessions)]
    state = [
        ("ProjectSummary", "proposal_code", facts.project_code),
        ("ProjectStructure", "ous_entity_id", facts.project_uid),
        ("ProjectStructure", "ousstatus_entity_id", mous_uid),
        ("ProjectStructure", "recipe_name", facts.procedure),
    ]
    head = [
        "context = h_init()",
        *(f"context.set_state({', '.join(repr(str(part)) for part in row)})" for row in state),
    ]
    first, *others = COMMANDS
    calls = [f"{first}(vis={vis!r}, session={names!r})", *(f"{command}()" for command in others)]
    return "\n".join(head) + "\n" + _calls(calls)


def commands_log(blocks: Sequence[MadeBlock]) -> str:
    """Write ``casa_commands.log``; its first line keeps anyone from running it."""
    lines = ["raise Error('The casa commands log is not executable!')", ""]
    for block in blocks:
        lines += [
            f"# {block.ms_name}",
            f"importasdm(asdm='{block.asdm.name}', vis='{block.ms_name}', ocorr_mode='ca', lazy=False, bdfflags=True)",
            f"flagdata(vis='{block.ms_name}', mode='list', inpfile={list(block.facts.flag_commands)!r})",
            *block.calapply.read_text().splitlines()[1:],
            f"flagmanager(vis='{block.ms_name}', mode='save', versionname='Pipeline_Final')",
            "",
        ]
    return "\n".join(lines)


def flux_csv(blocks: Sequence[MadeBlock]) -> str:
    """Write ``flux.csv``: the flux densities (Jy) the processing took as given."""
    rows = [
        f"{block.ms_name},{flux.field},{flux.spw},{flux.flux_jy},0.0,0.0,0.0,-0.7,synthetic"
        for block in blocks
        for flux in block.facts.fluxes
        if flux.field in block.facts.calibrators
    ]
    return "\n".join(["ms,field,spw,I,Q,U,V,spix,comment", *rows]) + "\n"


def antennapos_csv(blocks: Sequence[MadeBlock]) -> str:
    """Write ``antennapos.csv``: corrections of antenna positions (m), none of which is needed."""
    rows = [f"{block.ms_name},{antenna},0.0,0.0,0.0,synthetic" for block in blocks for antenna in block.facts.antennas]
    return "\n".join(["ms,antenna,xoff,yoff,zoff,comment", *rows]) + "\n"


def flag_template(block: MadeBlock) -> str:
    """Write ``<EB>.flagtemplate.txt``: the manual flags of a block."""
    return "\n".join(["# User flagging commands file", *block.facts.flag_commands]) + "\n"


def weblog_page(mous_uid: MousUid, blocks: Sequence[MadeBlock]) -> str:
    """Write the one page of the synthetic weblog."""
    items = "".join(f"<li>{block.spec.eb_uid}: {block.facts.rows} rows</li>" for block in blocks)
    return f"<!DOCTYPE html><title>{mous_uid}</title><h1>Synthetic processing of {mous_uid}</h1><ul>{items}</ul>\n"
