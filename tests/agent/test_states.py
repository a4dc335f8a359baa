"""The state table, as a table."""

from __future__ import annotations

import pytest

from barista_server.agent.states import TABLE, Happening, Refused, next_state
from barista_server.api.messages import State

H, S = Happening, State
IDLE = [S.WAITING, S.QUEUED, S.PAUSED, S.FINISHED, S.PRETRAINED, S.FAILED, S.INTERRUPTED, S.INVALID]
LIVE = [S.RUNNING, S.PAUSING]

EXPECTED = {
    # what a person asks for
    (H.START, S.RUNNING): [S.WAITING, S.QUEUED, S.PAUSED, S.PRETRAINED, S.FAILED, S.INTERRUPTED],
    (H.QUEUE, S.QUEUED): [S.WAITING, S.QUEUED, S.PAUSED, S.PRETRAINED, S.FAILED, S.INTERRUPTED],
    (H.PAUSE, S.PAUSING): [S.RUNNING],
    (H.PAUSE, S.WAITING): [S.QUEUED],
    (H.FORCE, S.PAUSING): LIVE,
    (H.SNAPSHOT, S.RUNNING): [S.RUNNING],
    (H.RESET, S.WAITING): [S.WAITING, S.PAUSED, S.FINISHED, S.FAILED, S.INTERRUPTED],
    (H.RESET, S.INVALID): [S.INVALID],
    (H.RESET, S.PRETRAINED): [S.PRETRAINED],
    # what a run comes to
    (H.COMPLETED, S.FINISHED): list(S),
    (H.STOPPED, S.PAUSED): list(S),
    (H.BROKE, S.FAILED): list(S),
    (H.LOST, S.INTERRUPTED): list(S),
    (H.ADOPTED, S.RUNNING): [*IDLE, S.RUNNING],
    (H.SUBMITTED, S.QUEUED): IDLE,
    (H.ADOPTED, S.PAUSING): [S.PAUSING],
    (H.PAUSE_GIVEN_UP, S.RUNNING): [S.PAUSING],
    # what the files say
    (H.CHECK_FAILED, S.INVALID): IDLE,
    (H.CHECK_PASSED, S.WAITING): [S.WAITING, S.INVALID],
    (H.MORE_TO_DO, S.PAUSED): [S.PAUSED, S.FINISHED],
    (H.GIVEN_WEIGHTS, S.PRETRAINED): [S.WAITING, S.PRETRAINED],
    **{(H.GIVEN_WEIGHTS, state): [state] for state in IDLE if state not in (S.WAITING, S.PRETRAINED)},
    **{(H.DELETE, state): [state] for state in IDLE if state is not S.QUEUED},
    **{
        (happening, state): [state]
        for happening in (H.CHECK_PASSED, H.MORE_TO_DO)
        for state in (S.QUEUED, S.PRETRAINED, S.FAILED, S.INTERRUPTED)
    },
    (H.CHECK_PASSED, S.PAUSED): [S.PAUSED],
    (H.CHECK_PASSED, S.FINISHED): [S.FINISHED],
    (H.MORE_TO_DO, S.WAITING): [S.WAITING],
    (H.MORE_TO_DO, S.INVALID): [S.INVALID],
}
ALLOWED = {
    (before, happening): after for (happening, after), befores in EXPECTED.items() for before in befores
}


@pytest.mark.parametrize("happening", Happening)
@pytest.mark.parametrize("state", State)
def test_every_cell(state: State, happening: Happening) -> None:
    expected = ALLOWED.get((state, happening))
    if expected is not None:
        assert next_state(state, happening) is expected
        return
    with pytest.raises(Refused) as caught:
        next_state(state, happening)
    words = str(caught.value)
    assert words.startswith(("is ", "was ", "has ", "waits ")), "it goes on after the session's name"
    assert not words.endswith(".")


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(State)
    assert all(set(row) == set(Happening) for row in TABLE.values())


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("happening", [H.RESET, H.DELETE, H.START, H.QUEUE])
def test_nothing_takes_files_from_under_a_process(state: State, happening: Happening) -> None:
    assert isinstance(TABLE[state][happening], str) and not isinstance(TABLE[state][happening], State)
