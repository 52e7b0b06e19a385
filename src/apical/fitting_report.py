"""What a fitting leaves to look at: a run and its job come in; `finetuning.png` and a page go out."""

from __future__ import annotations

from pathlib import Path

from apical.finetuning_report import watched_sheet
from apical.fitting import Fitting
from apical.pictures.run_page import write_run_page
from apical.pictures.run_sheet import draw_run
from apical.run import Run

__all__ = ["report_fitting"]


def report_fitting(run: Run, job: Fitting) -> Path:
    """Draw held-out examples, and write `index.html` around them; the page's path."""
    card, data = run.card, run.card.data
    title = f"{card.method} on {data['title']}"
    picture, page = run.folder / "finetuning.png", run.folder / "index.html"
    is_synthetic = bool(data["is_synthetic"])
    draw_run([], watched_sheet(run, job), picture, title, is_synthetic)
    write_run_page(
        page,
        title=title,
        picture=picture,
        picture_says="Held-out images with what was found and what experts say",
        facts=[
            (
                "Learnt from",
                f"{data['title']}: {data['labelled_images']} labelled images of {data['labelled_patients']} "
                f"patients (labels={job.config.labels}, seed {job.config.seed})",
            ),
            ("Held out", f"{data['held_out_patients']} patients"),
            ("Terms", "; ".join(card.licences)),
            ("Looks through", f"{job.config.backbone.name} of {job.config.init}, which stays as it is"),
            ("Took", f"{card.seconds:.0f} s on {card.device}, {card.precision}"),
            ("Repeat it", card.command),
        ],
        figures=[(name, f"{value:.4g}", "mean over held-out images") for name, value in card.best.items()],
        notes=[*card.remarks, *job.task.report()],
        notice=card.notice,
        is_synthetic=is_synthetic,
    )
    return page
