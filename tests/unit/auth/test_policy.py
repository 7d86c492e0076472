"""One function decides, and its default is no."""

from __future__ import annotations

import pytest

from helicon_server.auth.policy import authorize
from helicon_server.domain.actors import ALL_RIGHTS, SYSTEM, Actor, Right
from helicon_server.domain.errors import Forbidden


@pytest.mark.parametrize("held", list(Right))
@pytest.mark.parametrize("wanted", list(Right))
def test_authorize__one_right__opens_only_what_needs_it(held: Right, wanted: Right) -> None:
    """No right includes another one: who may publish may not therefore read."""
    actor = Actor("token:ci", frozenset({held}))
    if held is wanted:
        authorize(actor, wanted)
        return
    with pytest.raises(Forbidden) as refused:
        authorize(actor, wanted)
    assert refused.value.details == {"right": wanted.value}
    assert refused.value.message == f"token:ci lacks the right to {wanted}."


@pytest.mark.parametrize("wanted", list(Right))
def test_authorize__actor_without_rights__may_nothing(wanted: Right) -> None:
    """What nobody granted is refused."""
    with pytest.raises(Forbidden):
        authorize(Actor("anonymous"), wanted)
    authorize(SYSTEM, wanted)
    assert wanted in ALL_RIGHTS
