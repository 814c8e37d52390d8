"""The pages of docs/reference, made from the code, and the tables of settings; run as a module it writes them anew."""

from pathlib import Path

from dashboards.reference import reference as metrics_page
from tests.support.log_events import log_events
from tests.support.log_events import page as log_events_page
from tests.support.reference_commands import commands_page
from tests.support.reference_messages import messages_page
from tests.support.reference_reasons import reasons_page
from tests.support.reference_settings import settings_page
from tests.support.settings_tables import ROOT, tables

FOLDER = ROOT / "docs" / "reference"


def documents() -> dict[Path, str]:
    """Return the text of every page by its path."""
    return {
        FOLDER / "commands.md": commands_page(),
        FOLDER / "log-events.md": log_events_page(log_events()),
        FOLDER / "messages.md": messages_page(),
        FOLDER / "metrics.md": metrics_page(),
        FOLDER / "reasons.md": reasons_page(),
        FOLDER / "settings.md": settings_page(),
        **tables(),
    }


def main() -> None:
    """Write them."""
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
