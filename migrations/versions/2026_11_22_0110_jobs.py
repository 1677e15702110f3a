"""The job queue: procrastinate's own tables, as the installed release ships them.

A release of procrastinate that changes its tables comes with SQL for those who have the older ones; it gets a
migration of its own here when the lock file moves to it.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "2026_11_22_0110"
down_revision = "2026_11_22_0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The driver's own cursor: percent signs in these functions are no placeholders.
    op.get_bind().connection.cursor().execute(SchemaManager.get_schema())


def downgrade() -> None:
    op.execute(
        """
        DO $$
        DECLARE thing record;
        BEGIN
            FOR thing IN SELECT format('DROP TABLE IF EXISTS %I CASCADE', relname) AS statement
                FROM pg_class WHERE relkind = 'r' AND relname LIKE 'procrastinate\\_%'
            LOOP EXECUTE thing.statement; END LOOP;
            FOR thing IN SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure) AS statement
                FROM pg_proc WHERE proname LIKE 'procrastinate\\_%'
            LOOP EXECUTE thing.statement; END LOOP;
            FOR thing IN SELECT format('DROP TYPE IF EXISTS %I CASCADE', typname) AS statement
                FROM pg_type WHERE typname LIKE 'procrastinate\\_%' AND typtype IN ('e', 'c')
            LOOP EXECUTE thing.statement; END LOOP;
        END $$
        """
    )
