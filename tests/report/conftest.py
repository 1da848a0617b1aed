import pytest
from fakes import FakeModel, FakeSystem


@pytest.fixture
def model():
    return FakeModel(system=FakeSystem())
