"""Workload and history tables: schema, reading, writing, and the recorder that a run fills."""

from fxpsim.records.accumulations import AccumulationRecorder, as_accumulations
from fxpsim.records.columns import (
    ACCUMULATION_COLUMNS,
    HISTORY_COLUMNS,
    PASSES,
    STREAMS,
    VECTOR_COLUMNS,
    WORKLOAD_COLUMNS,
    Column,
)
from fxpsim.records.files import read_table, write_table
from fxpsim.records.history import as_history, parse_histogram, stream_and_pass
from fxpsim.records.recorder import HistoryRecorder
from fxpsim.records.training import Conv, training_workload
from fxpsim.records.workload import as_vector_workload, as_workload

__all__ = [
    "ACCUMULATION_COLUMNS",
    "HISTORY_COLUMNS",
    "PASSES",
    "STREAMS",
    "VECTOR_COLUMNS",
    "WORKLOAD_COLUMNS",
    "AccumulationRecorder",
    "Column",
    "Conv",
    "HistoryRecorder",
    "as_accumulations",
    "as_history",
    "as_vector_workload",
    "as_workload",
    "parse_histogram",
    "read_table",
    "stream_and_pass",
    "training_workload",
    "write_table",
]
