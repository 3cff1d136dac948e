"""The catalogue of the worker's numbers: each declared once, with its name, labels, help, possible values and source.

`PROGRAM` is what a program's state shows, `PIPELINE` what a worker shows of itself. Streams know no Prometheus library; the
collector turns families into text.
"""

from __future__ import annotations

# one namespace for all declarations: adding a number is one edit
from streams.catalogue.metric import Labels as Labels
from streams.catalogue.metric import Metric as Metric
from streams.catalogue.pipeline import *  # noqa: F403
from streams.catalogue.program import *  # noqa: F403
