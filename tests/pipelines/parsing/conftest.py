"""The programs that read scans and old Office files, where they are installed."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture(scope="session")
def tesseract() -> str | None:
    """Its path, None where it is not installed."""
    return shutil.which("tesseract")


@pytest.fixture
def needs_tesseract(tesseract: str | None) -> None:
    if tesseract is None:
        pytest.skip("needs tesseract on the PATH (Debian: tesseract-ocr)")


@pytest.fixture
def needs_soffice() -> None:
    if shutil.which("soffice") is None:
        pytest.skip("needs soffice on the PATH (Debian: libreoffice-writer-nogui, -calc-nogui, -impress-nogui)")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any of these programs."""
    monkeypatch.setenv("PATH", "")
