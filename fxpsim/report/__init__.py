"""Reports: run directories in, one self-contained HTML file out."""

from fxpsim.report.rundir import Run, read_run
from fxpsim.report.study import write_study
from fxpsim.report.study_rows import StudyRun
from fxpsim.report.write import write_report

__all__ = ["Run", "StudyRun", "read_run", "write_report", "write_study"]
