import pytest
from fakes import FakeModel, FakeSystem

from replica.compile.system import CompiledSystem


@pytest.fixture
def model():
    return FakeModel(system=FakeSystem())


@pytest.fixture
def solved(monkeypatch):
    """The parameters of every block that the real engine solves in this process."""
    blocks = []
    solve_block = CompiledSystem.solve_block

    def counting(self, params, *arguments, **options):
        blocks.append(params.copy())
        return solve_block(self, params, *arguments, **options)

    monkeypatch.setattr(CompiledSystem, "solve_block", counting)
    return blocks
