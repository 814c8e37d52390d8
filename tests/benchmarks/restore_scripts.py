"""Ways to restore that only `bench_restore` takes, as scripts beside the runner's, whose folder is filled in."""

LAZY_APPLYCAL = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
reference = importlib.import_module("reference")

def restore(job, progress, result):
    tasks, tables = reference.load(job, progress, result)
    reference.import_flagged(job, progress, result, tasks, tables, lazy=True)
    reference.apply(job["calls"], job["vis"], tasks, tables, progress)
    reference.take_out(job, tasks, tables, {{}})
    reference.verify(job, progress, result, tables, "lazy import and applycal")

sys.exit(reference.main(Path(sys.argv[1]), restore))
"""
"""The reference way upon a lazy import."""

PIPELINE_STEPS = """
import importlib, shutil, sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
reference, single_pass = importlib.import_module("reference"), importlib.import_module("single_pass")

def restore(job, progress, result):
    tasks, tables = reference.load(job, progress, result)
    vis, flags, kept = job["vis"], Path(job["vis"] + ".flagversions"), Path("kept")
    flags.rename(kept)
    tasks.importasdm(asdm=job["asdm"], vis=vis, asis=reference.ASIS, bdfflags=True, lazy=False, process_caldevice=False)
    shutil.rmtree(flags)
    kept.rename(flags)
    tasks.flagmanager(vis=vis, mode="restore", versionname=reference.FINAL_FLAGS)
    tasks.flagdata(vis=vis, mode="summary", name="before")
    modes = [str(mode) for mode in tables.column(vis + "/STATE", "OBS_MODE")]
    for term in job["library"]:
        Path(term["name"]).symlink_to(term["caltable"])
    terms = [{{**term, "intent": reference.intent_expression(term["intent"], modes)}} for term in job["library"]]
    Path("library").write_text("\\n".join(map(single_pass.library_line, terms)))
    tasks.applycal(vis=vis, docallib=True, callib="library", antenna="*&*", applymode="calflagstrict", parang=False)
    tasks.flagdata(vis=vis, mode="summary", name="applycal")
    tasks.flagdata(vis=vis, mode="summary", fieldcnt=True, intent="*OBSERVE_TARGET*")
    reference.take_out(job, tasks, tables, {{}})
    reference.verify(job, progress, result, tables, "pipeline")

sys.exit(reference.main(Path(sys.argv[1]), restore))
"""
"""All that the pipeline's ``hifa_restoredata`` does by CASA tasks, and then split as the reference does."""
