"""Figures for MLflow: kept where `MLFLOW_TRACKING_URI` says, or where MLflow keeps runs by itself.

A run that resumes is the same run there. MLflow forgets nothing: steps that are taken again stand twice on a curve.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apical.errors import ApicalError
from apical.loggers._extra import needing
from apical.loggers._run_id import find_run_id, keep_run_id
from apical.loggers.base import Logger

__all__ = ["MLflow"]

SETTINGS_AT_ONCE = 100
LONGEST_SETTING = 500
"""Characters; servers refuse more."""


class MLflow(Logger):
    """A run in the experiment `apical`, or in `MLFLOW_EXPERIMENT_NAME`; training outlives the server."""

    def __init__(self, folder: Path, settings: Mapping[str, object], after_step: int) -> None:  # noqa: ARG002
        with needing("mlflow", "MLflow"):
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        self._failure: type[Exception] = MlflowException
        self._is_lost = False
        try:
            self._client = MlflowClient()
            self._run_id = find_run_id(folder, "mlflow") or _begin(self._client, folder, settings)
            self._client.update_run(self._run_id, status="RUNNING")
        except (MlflowException, ImportError) as error:
            raise ApicalError(
                "MLflow can't open this run",
                seen=str(error).partition("\n")[0],
                remedy="Set MLFLOW_TRACKING_URI to your server, or leave this logger out.",
            ) from None

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Add a point to each figure's curve."""
        from mlflow.entities import Metric

        now_ms = time.time_ns() // 1_000_000
        metrics = [Metric(name, float(value), now_ms, step) for name, value in figures.items()]
        self._send("log_batch", metrics=metrics)

    def close(self) -> None:
        """Mark the run as ended."""
        self._send("set_terminated")

    def _send(self, request: str, **values: object) -> None:
        if self._is_lost:
            return
        try:
            getattr(self._client, request)(self._run_id, **values)
        except self._failure:
            self._is_lost = True
            sys.stderr.write("apical: MLflow can't be reached any more; training goes on without it.\n")


def _begin(client: Any, folder: Path, settings: Mapping[str, object]) -> str:
    """Start a run that knows its settings, and keep its id in the folder."""
    from mlflow.entities import Param

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "apical")
    experiment = client.get_experiment_by_name(name)
    place = experiment.experiment_id if experiment else client.create_experiment(name)
    run_id: str = client.create_run(place, run_name=folder.resolve().name).info.run_id
    params = [Param(key, str(value)[:LONGEST_SETTING]) for key, value in _flat(settings)]
    for start in range(0, len(params), SETTINGS_AT_ONCE):
        client.log_batch(run_id, params=params[start : start + SETTINGS_AT_ONCE])
    keep_run_id(folder, "mlflow", run_id)
    return run_id


def _flat(settings: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Settings of all tables by their whole keys."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value
