"""What `mainspring experiment run` writes for a pull request: the reports of the experiment that it made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.surfaces.client import Client
from mainspring.surfaces.commands.output import people

OPTIONS = {
    "junit": "File to write a JUnit report to: a test for each metric.",
    "markdown": "File to append a Markdown report to, such as $GITHUB_STEP_SUMMARY.",
}


def after(client: Client, run_id: str, options: Mapping[str, Any]) -> None:
    """Write the reports that were asked for, and say what the baseline showed. Raises Invalid where it cannot write."""
    baseline = client.experiment.get(run_id).baseline
    for one in client.experiment.compare(baseline, run_id).metrics if baseline else ():
        people.print(f"{one.metric}: {one.sentence}", markup=False, highlight=False)
    for form, path in options.items():
        if path is None:
            continue
        text = client.experiment.export(run_id, format=form)  # type: ignore[arg-type]
        try:
            with Path(path).open("a" if form == "markdown" else "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise Invalid(
                f"{path} cannot be written: {error.strerror}.", hint="Name a file in a folder that is there."
            ) from None
