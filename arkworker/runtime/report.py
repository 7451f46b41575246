"""`run --report FILE`: one page that opens without a network, for people who would otherwise read logs.

Its text is escaped and masked by `markup`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import platform
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from arkworker.errors import ArkworkerError, ConfigurationError
from arkworker.options.secret import Secret, SecretNotLoadedError
from arkworker.runtime.collecting import MOST_PROCESSES, Collected
from arkworker.runtime.explanation import explain, leaves, plain
from arkworker.runtime.loop.outcome import OUTCOMES
from arkworker.runtime.markup import Html, Sheet, axis, chart, duration, number, outline_path, section, share_bar
from arkworker.runtime.named_files import empty
from arkworker.runtime.services import measured
from arkworker.storage import files
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.runtime.collecting import ProcessFigures, Thumbnail, Timeline
    from arkworker.runtime.context import WorkerContext
    from arkworker.runtime.handover import Handover
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.provenance import Claim, Path as Steps

logger = logging.getLogger("arkworker")

PHASES = {
    "waiting": "waiting for elements",
    "retrieving": "retrieving elements",
    "work": "work of the worker's code",
    "publishing": "publishing and reporting",
}
MOST_ERRORS = 30
MOST_METRICS = 200
MOST_VALUES = 400
SHORTEST_SECRET = 4  # characters: what is shorter would be found anywhere


@contextmanager
def reported(run: Handover, worker: WorkerOptions, claims: Mapping[Steps, Claim]) -> Iterator[None]:
    """While the block lasts, a run is collected for its report, which is written however it ends.

    Args:
        run: The run; its settings name the file.
        worker: What the worker's class declares.
        claims: Where the settings are from.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    path = run.settings.report or ""
    empty("report", path)
    collected = Collected(functools.partial(_write, path, run, worker, claims))
    run.report_to(collected)
    try:
        yield
    except ArkworkerError as error:
        collected.fail(str(error), int(error.exit_code))
        raise
    except BaseException as error:
        collected.fail(type(error).__name__, 1)
        raise
    finally:
        if run.stopping.received is not None:
            collected.fail(f"stopped by signal {run.stopping.received}", 128 + run.stopping.received)
        collected.write()


def _write(
    path: str, run: Handover, worker: WorkerOptions, claims: Mapping[Steps, Claim], collected: Collected
) -> None:
    try:
        files.replace(path, Page(run, worker, claims).render(collected).encode())
    except OSError as error:
        logger.error("%s: the report cannot be written: %s", path, error.strerror)  # noqa: TRY400 - one line will do
    except Exception:  # a value of user code that cannot be shown, or a defect of ours, must not change how a run ends
        logger.exception("%s: the report cannot be written", path)


def write_refusal(path: str, target: str, error: ArkworkerError) -> None:
    """Write the report of a run that ended before its work, so that nobody takes the one of another run for it.

    Args:
        path: The file.
        target: How the person named the worker.
        error: What ended it; it holds no secret.
    """
    try:
        files.replace(path, _refusal(target, error).encode())
    except OSError as failure:
        logger.error("%s: the report cannot be written: %s", path, failure.strerror)  # noqa: TRY400 - one line will do


def _refusal(target: str, error: ArkworkerError) -> str:
    sheet = Sheet()
    if isinstance(error, ConfigurationError):
        rows = [(problem.path, problem.location, problem.message, problem.hint) for problem in error.problems]
        content = sheet.table(("name", "from", "problem", "remedy"), rows[:MOST_VALUES])
    else:
        content = Html(f"<p>{sheet.text(error)}</p>")
    return sheet.filled(
        target,
        verdict="bad",
        outcome=f"ended before the work (exit code {int(error.exit_code)})",
        when=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        numbers="",
        sections=section("Why", content, is_wide=True),
    )


class Page(Sheet):
    """The report of a run as HTML.

    Args:
        run: The run.
        worker: What the worker's class declares.
        claims: Where the settings are from.
    """

    def __init__(self, run: Handover, worker: WorkerOptions, claims: Mapping[Steps, Claim]) -> None:
        super().__init__(sorted(_secrets_of(run.context), key=len, reverse=True))
        self._run = run
        self._worker = worker
        self._claims = claims

    def render(self, collected: Collected) -> str:
        """The page."""
        summary = collected.summary
        seconds = collected.seconds
        numbers = {"elements": collected.counts.total(), **{name: collected.counts[name] for name in OUTCOMES}}
        rate = numbers["elements"] / (summary.get("seconds") or seconds)
        sections = (
            self._over_time(collected.timeline, seconds),
            self._throughput(collected.timeline, seconds),
            self._phases(summary.get("phases", {})),
            self._slowest(collected.highlights.slowest),
            self._errors(collected.errors),
            self._pictures(collected.highlights.thumbnails),
            self._processes(collected.processes),
            self._metrics(summary.get("metrics", {})),
            self._what_ran(),
            self._configuration(),
        )
        return self.filled(
            self._worker.target,
            verdict="good" if not collected.exit_code and not numbers["failed"] else "bad",
            outcome=_outcome_of(collected),
            when=f"started {collected.began:%Y-%m-%d %H:%M:%S} UTC, took {duration(seconds)}",
            numbers="".join(
                f"<div><dt>{name}</dt><dd>{value}</dd></div>"
                for name, value in {**numbers, "elements a second": number(rate)}.items()
            ),
            sections="\n".join(filter(None, sections)),
        )

    def _over_time(self, timeline: Timeline, seconds: float) -> str:
        if not timeline.bins:
            return ""
        total = sum(counts.total() for counts in timeline.bins) or 1
        width = max(len(timeline.bins), seconds / timeline.seconds)
        places = [*range(len(timeline.bins) + 1), width]
        lower = [0.0] * len(places)
        areas = []
        for name in OUTCOMES:
            upper, sofar = [lower[0]], 0
            for position, counts in enumerate(timeline.bins, 1):
                sofar += counts[name]
                upper.append(lower[position] + sofar)
            upper.append(lower[-1] + sofar)
            if sofar:
                there = [f"{x:.2f},{100 - 100 * y / total:.2f}" for x, y in zip(places, upper, strict=True)]
                back = [f"{x:.2f},{100 - 100 * y / total:.2f}" for x, y in zip(places, lower, strict=True)]
                areas.append(f'<path class="{name}" d="M{" L".join(there + back[::-1])} Z"/>')
            lower = upper
        legend = "".join(
            f'<span class="{name}">{name}</span>' for name in OUTCOMES if any(counts[name] for counts in timeline.bins)
        )
        drawn = chart(width, "".join(areas), "how many elements were in each state, over time")
        scale = axis("0 s", f"up to {total} elements", duration(seconds))
        return section("States over time", f'{drawn}{scale}<div class="legend">{legend}</div>')

    def _throughput(self, timeline: Timeline, seconds: float) -> str:
        if not timeline.bins:
            return ""
        highest = max(counts.total() for counts in timeline.bins) or 1
        bars = "".join(
            f'<path class="bar" d="M{x + 0.06:.2f},100 v{-100 * counts.total() / highest:.2f} h0.88 V100 Z"/>'
            for x, counts in enumerate(timeline.bins)
            if counts.total()
        )
        drawn = chart(
            max(len(timeline.bins), seconds / timeline.seconds), bars, "how many elements ended in each stretch of time"
        )
        most = f"up to {number(highest / timeline.seconds)} elements a second, in {duration(timeline.seconds)}"
        return section("Throughput", f"{drawn}{axis('0 s', most, duration(seconds))}")

    def _phases(self, phases: Mapping[str, float]) -> str:
        if not phases:
            return ""
        total = sum(phases.values()) or 1.0
        rows = [
            (
                PHASES.get(name, name),
                share_bar(phases[name] / total),
                f"{phases[name]:.3f}",
                f"{phases[name] / total:.0%}",
            )
            for name in sorted(phases, key=list(PHASES).index)
        ]
        note = '<p class="quiet">The times of parallel threads and processes are added up.</p>'
        return section("Seconds by phase", f"{self.table(('phase', '', '#seconds', '#share'), rows)}{note}")

    def _slowest(self, slowest: Sequence[tuple[float, str, str]]) -> str:
        if not slowest:
            return ""
        rows = [(f"{seconds:.3f}", element_id, name) for seconds, element_id, name in sorted(slowest, reverse=True)]
        return section("Slowest elements", self.table(("#seconds of work", "element", "name"), rows))

    def _errors(self, errors: Sequence[Mapping[str, Any]]) -> str:
        if not errors:
            return ""
        shown = []
        for group in errors[:MOST_ERRORS]:
            more = group["count"] - len(group["elements"])
            ids = ", ".join(group["elements"]) + (f" and {more} more" if more > 0 else "")
            trace = f"<pre>{self.text(group['trace'], 5000)}</pre>" if group["trace"] else ""
            told = f"{group['count']} times: {group['text']}" if group["count"] > 1 else f"once: {group['text']}"
            shown.append(
                f'<details class="error"><summary>{self.text(told)}</summary>'
                f'<p class="quiet">{self.text(ids, 1500)}</p>{trace}</details>'
            )
        rest = sum(group["count"] for group in errors[MOST_ERRORS:])
        if rest:
            shown.append(f'<p class="quiet">{rest} more, in {len(errors) - MOST_ERRORS} other ways</p>')
        return section("Errors", "".join(shown), is_wide=True)

    def _pictures(self, thumbnails: Sequence[Thumbnail]) -> str:
        if not thumbnails:
            return ""
        figures = []
        for shown in thumbnails:
            count = len(shown.outlines) + shown.more
            found = "no outline" if not count else "1 outline" if count == 1 else f"{count} outlines"
            paths = "".join(map(outline_path, shown.outlines))
            name = f"{shown.name or 'element'} {shown.id}: {found}"
            figures.append(
                f'<figure><div><img alt="" width="{shown.width}" height="{shown.height}" '
                f'style="height: auto" src="data:image/jpeg;base64,{shown.jpeg}">'
                f'<svg viewBox="0 0 {shown.width} {shown.height}" aria-hidden="true">{paths}</svg></div>'
                f"<figcaption>{self.text(name)}</figcaption></figure>"
            )
        title = "Some elements, with the outlines that were found"
        return section(title, f'<div class="pictures">{"".join(figures)}</div>', is_wide=True)

    def _metrics(self, metrics: Mapping[str, Mapping[str, Any]]) -> str:
        if not metrics:
            return ""
        rows = [
            (name, measured(found["value"]), found.get("unit", ""))
            for name, found in list(metrics.items())[:MOST_METRICS]
        ]
        return section("Metrics", self.table(("metric", "#value", "unit"), rows))

    def _processes(self, processes: Mapping[int, ProcessFigures]) -> str:
        if not processes:
            return ""
        rows = [
            (
                f"{number} and later" if number == MOST_PROCESSES else number,
                *(figures.counts[name] for name in OUTCOMES),
                *(f"{figures.phases[name]:.1f}" if name in figures.phases else "unknown" for name in PHASES),
            )
            for number, figures in sorted(processes.items())
        ]
        head = ("#process", *(f"#{name}" for name in OUTCOMES), *(f"#s {name}" for name in PHASES))
        return section("Processes", self.table(head, rows), is_wide=True)

    def _what_ran(self) -> str:
        context = self._run.context
        details, process = context.worker_details, context.process
        model = context.model_details.get("name") if context.model_details else None
        facts = {
            "worker": self._worker.target,
            "arkworker": __version__,
            "Python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "mode": "developer mode, read-only" if context.is_read_only else "worker run",
            "worker on Arkindex": details.get("name") or details.get("slug"),
            "worker run": context.worker_run_id,
            "process": process.id if process is not None else None,
            "model": f"{model or ''} {context.model_version_id}".strip() if context.model_version_id else None,
            "results": self._run.settings.results,
        }
        rows = [(name, value) for name, value in facts.items() if value is not None]
        return section("What ran", self.table(("", ""), rows))

    def _configuration(self) -> str:
        told = explain(self._run.context, self._worker)
        origins = told["origins"]
        rows = []
        for name, value in {**leaves(told["context"]), **self._settings()}.items():
            origin = _origin_of(name, origins) or self._settings_origin(name)
            rows.append((name, plain(value), " ".join(filter(None, origin))))
        first = [row for row in rows if row[0].startswith(("config.", "arguments."))]
        rest = [row for row in rows if row not in first and row[1] not in (None, {}, [])]
        head = ("name", "value", "from")
        other = (
            f"<details><summary>Everything else known to the run</summary>{self.table(head, rest[:MOST_VALUES])}"
            "</details>"
        )
        shown = self.table(head, first[:MOST_VALUES]) if first else '<p class="quiet">The worker has no options.</p>'
        return section("Configuration", f"{shown}{other}", is_wide=True)

    def _settings(self) -> dict[str, Any]:
        """Flags and variables of the run itself that were set."""
        settings = self._run.settings
        names = [path[0] for path in self._claims if len(path) == 1 and path[0] in type(settings).model_fields]
        return {f"run.{name}": getattr(settings, name) for name in names if name not in ("config", "arguments", "api")}

    def _settings_origin(self, name: str) -> tuple[str, str]:
        claim = self._claims.get((name.removeprefix("run."),))
        return (claim.origin.source, claim.origin.location) if claim is not None else ("", "")


def _origin_of(name: str, origins: Mapping[str, Mapping[str, Any]]) -> tuple[str, str] | None:
    """Of a leaf, or of what it is a part of."""
    while name:
        if name in origins:
            return origins[name]["source"], origins[name]["location"]
        name = name.rpartition(".")[0]
    return None


def _secrets_of(context: WorkerContext[Any]) -> set[str]:
    """What must not be seen, wherever a message or a traceback may hold it; of several lines, each."""
    token = context.connection.token
    found = {token if isinstance(token, str) else token.get_secret_value()} if token else set()
    for secret in _of_kind(Secret, (context.secrets, context.config, context.arguments)):
        with contextlib.suppress(SecretNotLoadedError):
            for text in _of_kind(str, secret.get_secret_value()):
                found.update((text, *text.splitlines()))
    return {text for text in found if len(text) >= SHORTEST_SECRET}


def _of_kind(kind: type[Any], value: Any) -> Iterator[Any]:
    """What is of a kind, in mappings, sequences and models."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Mapping | BaseModel | list | tuple | set | frozenset):
        parts = value if isinstance(value, list | tuple | set | frozenset) else dict(value).values()
        for part in parts:
            yield from _of_kind(kind, part)


def _outcome_of(collected: Collected) -> str:
    code = collected.exit_code or 0
    if collected.ended_by and not collected.summary:
        return f"{collected.ended_by} (exit code {code})"
    if code > 128:
        return f"stopped by signal {code - 128} (exit code {code})"
    if code:
        return f"failed (exit code {code})"
    return "done; some elements failed" if collected.counts["failed"] else "done"
