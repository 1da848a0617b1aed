import dataclasses
import enum

import pytest
from fakes import FakeModel, FakeSystem

import replica


class FakeStatus(enum.Enum):
    CONVERGED = "fine"
    NOT_CONVERGED = "not fine"

    @property
    def code(self):
        return list(FakeStatus).index(self)


@dataclasses.dataclass(frozen=True)
class FakeSettings:
    tolerance: float = 1e-10


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setitem(vars(replica), "Status", FakeStatus)
    monkeypatch.setitem(vars(replica), "SolverSettings", FakeSettings)
    return FakeModel(system=FakeSystem())
