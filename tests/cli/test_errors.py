"""Every mistake on the command line is one sentence on the error stream, and exit code 2."""

import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["slove"], "No such command 'slove'"),
        (["solve"], "Missing argument 'MODEL'"),
        (["scan", "curie-weiss"], "Missing argument"),
        (["plot", "curie-weiss"], "Missing option '-q'"),
        (["solve", "curie-weiss", "alpha"], "not of the form"),
        (["solve", "curie-weiss", "alpha=x"], "not a number"),
        (["scan", "curie-weiss", "alpha=0:1:0"], "positive integer"),
        (["scan", "curie-weiss", "alpha=0:1:5:log"], "positive ends"),
        (["show", "missing.py"], "no file 'missing.py'"),
        (["show", "missing.py:model"], "no file 'missing.py'"),
        (["plot", "missing.nc", "-q", "m"], "no file 'missing.nc'"),
        (["plot", "missing.nc", "a=1:2:3", "-q", "m"], "takes no ranges"),
    ],
)
def test_one_sentence_and_exit_code_two(run, words, message):
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_help_and_version_are_no_errors(run):
    assert run("--help")[0] == 0
    assert run("scan", "--help")[0] == 0
    assert run("--version")[1].startswith("replica, version ")


def test_the_words_of_the_command_line_are_never_evaluated(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("open('x','w')", "__import__('os').system('touch x')", "1e", "0x10"):
        assert run("solve", "curie-weiss", f"alpha={text}")[0] == 2
    assert not list(tmp_path.iterdir())
