"""``plumbline doctor``: looks at everything a home is made of, and says what is wrong and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import EXIT_FAILED, EXIT_OK, Result, command
from plumbline.cli.output import counted, out

if TYPE_CHECKING:
    from plumbline.cli.doctor_checks import Finding


def register(app: typer.Typer) -> None:
    """Add ``doctor``."""

    @command(app, "doctor", "plumbline doctor")
    def doctor(
        quick: Annotated[bool, typer.Option("--quick", help="Leave out what reads every point and every table.")] = False,
    ) -> Result:
        """Check home, contracts, catalog, signatures, index, tables, model, room and lease. Leaves with 1 when one has a fault."""
        from plumbline.cli.doctor_checks import examine
        from plumbline.cli.settings import load_settings

        findings = list(examine(load_settings(), deep=not quick))
        faults = sum(not finding.ok for finding in findings)
        document = {"ok": faults == 0, "checks": [finding.document() for finding in findings]}
        return Result(document, lambda: _show(findings, faults), EXIT_FAILED if faults else EXIT_OK)


def _show(findings: list[Finding], faults: int) -> None:
    from rich.text import Text

    console = out()
    for finding in findings:
        mark = ("ok     ", "green") if finding.ok else ("fault  ", "bold red")
        console.print(Text.assemble(mark, (f"{finding.check:<12}", "bold"), finding.says), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"       {'':<12}{finding.remedy}", style="cyan"), soft_wrap=True)
    console.print()
    console.print(Text(f"{counted(faults, 'fault')} found.", style="red") if faults else Text("All is well.", style="green"))
