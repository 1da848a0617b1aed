"""The cache of compiled libraries, and what happens when compiling is not possible."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from replica.compile import toolchain
from replica.errors import BackendWarning, CompilerError

SOURCE = "int seven(void) { return 7; }\n"
MISSING = "/nonexistent/compiler"

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REPLICA_CACHE_DIR", str(tmp_path))
    toolchain._warn_of_cache.cache_clear()
    yield tmp_path / "compiled"
    toolchain._warn_of_cache.cache_clear()


def forbid_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("the compiler ran")

    monkeypatch.setattr(subprocess, "run", run)


@needs_compiler
def test_second_build_is_a_cache_hit_without_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = toolchain.build(SOURCE)
    forbid_compiling(monkeypatch)
    assert toolchain.build(SOURCE) == first
    assert toolchain.load(SOURCE).seven() == 7


@needs_compiler
def test_cache_holds_only_the_library_its_checksum_and_its_source(cache: Path) -> None:
    library = toolchain.build(SOURCE)
    assert {path.suffix for path in cache.iterdir()} == {library.suffix, ".sha256", ".c"}
    assert library.with_suffix(".c").read_text() == SOURCE


@needs_compiler
@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_cache_directory_is_private_even_if_it_was_not(cache: Path) -> None:
    cache.mkdir(mode=0o755)
    toolchain.build(SOURCE)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@needs_compiler
@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_cache_of_another_user_is_not_trusted(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.warns(BackendWarning, match="another user"):
        library = toolchain.build(SOURCE)
    assert cache not in library.parents


@needs_compiler
@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage"])
def test_damaged_library_is_rebuilt(damage: str) -> None:
    library = toolchain.build(SOURCE)
    content = library.read_bytes()
    damaged = {"empty": b"", "truncated": content[: len(content) // 2], "garbage": b"no library"}
    library.write_bytes(damaged[damage])
    assert toolchain.load(SOURCE).seven() == 7


@needs_compiler
def test_library_that_does_not_load_is_rebuilt() -> None:
    library = toolchain.build(SOURCE)
    library.write_bytes(b"no library")
    checksum = toolchain._checksum_file(library)
    checksum.write_bytes(toolchain.hashlib.sha256(b"no library").digest())
    assert toolchain.load(SOURCE).seven() == 7


@needs_compiler
def test_threads_that_build_the_same_source_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        libraries = list(pool.map(toolchain.load, [SOURCE] * 4))
    assert [library.seven() for library in libraries] == [7] * 4


@needs_compiler
def test_unusable_cache_directory_warns_once_and_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("REPLICA_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.warns(BackendWarning, match="REPLICA_CACHE_DIR") as caught:
        assert toolchain.load(SOURCE).seven() == 7
    assert len(caught) == 1
    library = toolchain.build(SOURCE + "/* another */")
    assert tmp_path not in library.parents
    assert not [warning for warning in recwarn if warning.category is BackendWarning]


@needs_compiler
def test_failing_source_names_the_error_and_keeps_the_source(cache: Path) -> None:
    with pytest.raises(CompilerError, match="undeclared_name") as caught:
        toolchain.build("int broken(void) { return undeclared_name; }\n")
    (kept,) = cache.glob("*.c")
    assert str(kept) in str(caught.value)
    assert "undeclared_name" in kept.read_text()


@needs_compiler
def test_flags_that_the_compiler_rejects_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "OPTIONAL_FLAGS", (("-fno-such-flag",), ()))
    assert toolchain.load(SOURCE).seven() == 7


def test_missing_compiler_in_cc_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", MISSING)
    with pytest.raises(CompilerError, match=MISSING) as caught:
        toolchain.build(SOURCE)
    message = str(caught.value)
    assert "CC" in message
    assert message.count("\n") == 0


@pytest.mark.skipif(shutil.which("true") is None, reason="no program `true`")
def test_compiler_that_writes_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "true")
    with pytest.raises(CompilerError, match="failed"):
        toolchain.build(SOURCE)


def test_compiler_that_cannot_start_is_an_error() -> None:
    with pytest.raises(CompilerError, match="does not start"):
        toolchain.build(SOURCE, compiler=toolchain.Compiler((MISSING,), "1"))


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    assert toolchain.find_compiler() is None
    with pytest.raises(CompilerError, match="No C compiler"):
        toolchain.build(SOURCE)


@pytest.mark.skipif(os.name != "posix", reason="needs an executable script")
def test_arguments_in_cc_and_updates_of_the_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my cc"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    before = toolchain.find_compiler()
    assert before is not None
    assert before.command == (str(script),)
    script.write_text("#!/bin/sh\n# updated\n")
    assert toolchain.find_compiler() != before

    launcher = script.rename(tmp_path / "launcher")
    monkeypatch.setenv("CC", f"{launcher} {launcher} -m64")
    compiler = toolchain.find_compiler()
    assert compiler is not None
    assert compiler.command == (str(launcher), str(launcher), "-m64")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="Linux convention")
def test_cache_directory_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert toolchain.cache_directory() == Path("/somewhere/replica/compiled")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    monkeypatch.setenv("HOME", "/home/someone")
    assert toolchain.cache_directory() == Path("/home/someone/.cache/replica/compiled")
