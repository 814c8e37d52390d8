"""Keep a digest of what was read last from the journal: where another one has something else, it is told apart."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the digest, which is not known before the next event, and the place that it is of."""
    op.add_column("position", sa.Column("digest", sa.String(64), nullable=True))
    op.add_column("position", sa.Column("digested", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Remove both."""
    op.drop_column("position", "digested")
    op.drop_column("position", "digest")
