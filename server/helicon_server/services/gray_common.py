"""What the use cases of gray branches share: the lock, the refusals, the message.

Every one that writes locks the namespace of the branch first, so that branches of one namespace, its publishes and its
rollbacks follow one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import NotFound, StaleRevision
from helicon_server.domain.formats import Format
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.model import MessageKind, Namespace
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.overlay import check_overlay
from helicon_server.storage.contract import ConfigRead, ConfigWrite

from .context import Caller
from .namespaces import found


@dataclass(frozen=True, slots=True)
class BranchDraft:
    """What people edit of a branch."""

    title: str = ""
    priority: int = 100  # the smallest is tried first
    rules: Sequence[GrayRule] = ()
    overlay: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()

    @property
    def sides(self) -> dict[str, object]:
        """The draft as a refusal shows it."""
        return {
            "title": self.title,
            "priority": self.priority,
            "rules": [asdict(rule) for rule in self.rules],
            "set": dict(self.overlay),
            "remove": list(self.removed),
        }


async def check_changes(caller: Caller, ref: NamespaceRef, overlay: Mapping[str, str], removed: Sequence[str]) -> None:
    """Vouches for what a branch changes of the namespace ``ref``, whose name says the format; before a transaction.

    Raises InvalidInput, InvalidDocument with line and column, and LimitExceeded; see ``check_overlay``.
    """
    format_ = Format.of_namespace(ref.namespace)
    await asyncio.to_thread(check_overlay, format_, overlay, removed, caller.limits.value_characters)


async def lock(tx: ConfigWrite, ref: NamespaceRef) -> Namespace:
    """Holds a namespace and with it all its branches."""
    (namespace,) = await tx.namespaces.lock([ref])
    return await found(tx, ref, namespace)


async def require_branch(tx: ConfigRead, namespace: Namespace, name: str) -> GrayBranch:
    """Finds a branch whoever asks; raises NotFound ``branch_not_found``."""
    branch = await tx.branches.get(namespace.ref, name)
    if branch is None:
        raise NotFound(f"{namespace.ref} has no branch {name!r}.", code="branch_not_found")
    return branch


def check_revision(caller: Caller, branch: GrayBranch, seen: int, *, yours: object) -> None:
    """Refuses a write that saw an older draft. Theirs is shown only to those who may view it."""
    if branch.revision == seen:
        return
    details: dict[str, object] = {"seen_revision": seen, "current_revision": branch.revision, "yours": yours}
    if Right.VIEW in caller.actor.rights:
        theirs = BranchDraft(branch.title, branch.priority, branch.rules, branch.overlay, branch.removed)
        details |= {"theirs": theirs.sides, "changed_by": branch.updated_by, "changed_at": branch.updated_at}
    raise StaleRevision(
        f"Branch {branch.name} of {branch.ref} is at revision {branch.revision}, not {seen}: read it again and repeat.",
        details=details,
    )


async def tell(tx: ConfigWrite, namespace: Namespace) -> int:
    """Appends the message that clients of a namespace have something else to read, and returns its id.

    Always of the namespace, never of a branch: nobody watches branches (protocol, section 9).
    """
    (message_id,) = await tx.messages.append(MessageKind.RELEASE, [namespace.ref])
    await tx.namespaces.touch(replace(namespace, message_id=message_id))
    return message_id
