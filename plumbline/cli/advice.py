"""From what ``plumbline status`` sees to the command that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.cli.facts import Advice, Facts
from plumbline.cli.output import counted

if TYPE_CHECKING:
    from search_index.model.state import Change

LOW_DISK_BYTES = 2_000_000_000


def advise(facts: Facts) -> list[Advice]:
    """A symptom and a remedy each, the gravest first; empty when all is well."""
    advice: list[Advice] = []
    if facts.live is None and not facts.writer:
        command = "plumbline ingest" if facts.sources else "plumbline ingest PATH"
        advice.append(Advice("Nothing is published yet.", command))
    if facts.paused:
        advice.append(Advice(f"Publishing is paused: {facts.paused}.", "plumbline releases resume"))
    waiting = {change.source for change in facts.waiting}
    advice += [Advice(f"{change.source} waits for a person: {change.description}.", accept_command(change)) for change in facts.waiting]
    held = [source for source in facts.sources if source.reasons and source.name not in waiting]
    advice += [Advice(f"{source.name} is held: {'; '.join(source.reasons)}", "mend that, then: plumbline ingest") for source in held]
    if facts.last_refused is not None:
        revision, reasons = facts.last_refused
        advice.append(Advice(f"Release {revision} was refused: {'; '.join(reasons)}", f"plumbline releases show {revision}"))
    late = [source.name for source in facts.sources if source.within_sla is False and not source.reasons]
    advice += [Advice(f"{name} is older than its contract promises.", "plumbline ingest") for name in late]
    quarantined = sum(source.quarantined for source in facts.sources)
    if quarantined:
        files = counted(quarantined, "file")
        advice.append(Advice(f"{files} could not be read.", "mend or replace what is listed above, then: plumbline ingest"))
    if facts.live is not None and facts.service is None:
        advice.append(Advice("The search service is not running.", "plumbline up"))
    if facts.undelivered:
        alerts = counted(len(facts.undelivered), "alert")
        advice.append(
            Advice(f"{alerts} could not be delivered, {facts.undelivered[-1]}.", "check PLUMBLINE_WEBHOOK_URL and what listens there")
        )
    if facts.disk["free"] < LOW_DISK_BYTES:
        advice.append(Advice("There is little room on the disk.", "free some, or lower PLUMBLINE_RETAIN_RELEASES"))
    return advice


def accept_command(change: Change) -> str:
    """The command that lets a waiting change through."""
    return f'plumbline sources accept {change.source} --change {change.change} --reason "..."'
