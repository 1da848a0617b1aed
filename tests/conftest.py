"""What all tests share: the examples of properties, and a command line to run."""

import pytest
from hypothesis import settings

# The same examples every time, however loaded the machine is.
settings.register_profile("replica", deadline=None, derandomize=True)
settings.load_profile("replica")


@pytest.fixture
def run(capsys):
    """Run the command line; returns the exit code and what was printed to each stream."""

    from replica import cli

    def run(*words):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        streams = capsys.readouterr()
        return caught.value.code, streams.out, streams.err

    return run
