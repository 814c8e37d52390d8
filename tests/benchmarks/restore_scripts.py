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
reference, single_pass, intents = map(importlib.import_module, ("reference", "single_pass", "intents"))

def restore(job, progress, result):
    tasks, tables = reference.load(job, progress, result)
    vis, flags, kept = job["vis"], Path(job["vis"] + ".flagversions"), Path("kept")
    flags.rename(kept)
    tasks.importasdm(asdm=job["asdm"], vis=vis, asis=reference.ASIS, bdfflags=True, lazy=False, process_caldevice=False)
    shutil.rmtree(flags)
    kept.rename(flags)
    tasks.flagmanager(vis=vis, mode="restore", versionname=reference.FINAL_FLAGS)
    tasks.flagdata(vis=vis, mode="summary", name="before")
    modes = intents.modes_of(vis, tables)
    single_pass.lay_out_tables(job)
    terms = [{{**term, "intent": intents.intent_expression(term["intent"], modes)}} for term in job["library"]]
    Path("library").write_text("\\n".join(map(single_pass.library_line, terms)))
    tasks.applycal(vis=vis, docallib=True, callib="library", antenna="*&*", applymode="calflagstrict", parang=False)
    tasks.flagdata(vis=vis, mode="summary", name="applycal")
    tasks.flagdata(vis=vis, mode="summary", fieldcnt=True, intent="*OBSERVE_TARGET*")
    reference.take_out(job, tasks, tables, {{}})
    reference.verify(job, progress, result, tables, "pipeline")

sys.exit(reference.main(Path(sys.argv[1]), restore))
"""
"""All that the pipeline's ``hifa_restoredata`` does by CASA tasks, and then split as the reference does."""
