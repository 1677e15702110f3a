"""Whose a recording is: also of those who agreed to it and sent nothing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_22_2100"
down_revision = "2026_11_22_1830"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recording", sa.Column("stay_ids", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.execute(
        "UPDATE recording SET stay_ids = ARRAY(SELECT DISTINCT participant_id FROM recording_file"
        " WHERE recording_file.recording_id = recording.id)"
    )
    op.alter_column("recording", "stay_ids", nullable=False)


def downgrade() -> None:
    op.drop_column("recording", "stay_ids")
