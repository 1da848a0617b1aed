import pytest
from fakes import FakeModel, FakeSystem

from replica.cli import main


@pytest.fixture
def model():
    return FakeModel(system=FakeSystem())


@pytest.fixture
def run(capsys):
    """Run the command line; returns the exit code and what was printed to each stream."""

    def run(*words):
        with pytest.raises(SystemExit) as caught:
            main(words)
        streams = capsys.readouterr()
        return caught.value.code, streams.out, streams.err

    return run
