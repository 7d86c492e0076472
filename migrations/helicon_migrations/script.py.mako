"""${message}.

Additive first: servers of the previous version run on this schema until they are replaced. A required column comes in
steps (nullable, filled, enforced), each in a release of its own. Import nothing of the application: this script must
do the same in years to come. Add the revision to ``helicon_migrations.revisions``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
