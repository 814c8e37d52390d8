"""A stand-in for the ALMA pipeline, which no registry has: it does with real CASA what its public code does.

Its behaviours are the documented ways to fail: ``errorexit`` (a file of that name, exit status 0), ``raises``,
``dies`` (exit status 3), ``crashes`` (a signal), ``no-ms``, ``no-corrected``, ``late`` (CORRECTED_DATA is there, then
it raises), ``severe`` (all is there and nothing raises, but an error is in the log).
"""

behaviour = ""
