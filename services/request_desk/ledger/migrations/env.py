"""Run by Alembic: applies migrations over the connection that `migrating` gives it."""

from alembic import context

from services.request_desk.ledger.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
