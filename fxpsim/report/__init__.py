"""Reports: run directories in, one self-contained HTML file out."""

from fxpsim.report.rundir import Run, read_run
from fxpsim.report.write import write_report

__all__ = ["Run", "read_run", "write_report"]
