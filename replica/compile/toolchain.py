"""Find a C compiler, and turn a source text into a cached shared library."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from replica.errors import BackendWarning, CompilerError

__all__ = ["Compiler", "build", "cache_directory", "find_compiler", "load"]

logger = logging.getLogger(__name__)

# Never -ffast-math: it flushes subnormals to zero in the whole process and breaks tests for NaN.
FLAGS = (
    "-std=c11",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fopenmp-simd",
    "-fPIC",
    "-shared",
)
# Tried in order until the compiler accepts them. Jump threading, which gcc does, gives each side of
# a selection its own copy of what follows; a vectorised loop then computes all copies.
OPTIONAL_FLAGS = (("-march=native", "-fno-thread-jumps"), ("-march=native",), ())

N_ERROR_LINES = 8


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    Attributes
    ----------
    command : tuple of str
        The words that start it, e.g. ``("/usr/bin/gcc",)``.
    version : str
        Location, size and modification time of its executables. They change with every update of
        the compiler and, unlike ``--version``, cost no process to look up.
    """

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler | None:
    """Find the C compiler to use.

    Returns
    -------
    Compiler or None
        The one that the environment variable ``CC`` names, else the first of ``cc``, ``gcc`` and
        ``clang`` on the path, else the one in the Python package ``ziglang``, else None.

    Raises
    ------
    CompilerError
        If ``CC`` is set but names no executable.
    """
    requested = os.environ.get("CC", "").strip()
    if requested:
        words = [requested] if shutil.which(requested) else requested.split()
        if shutil.which(words[0]) is None:
            raise CompilerError(
                f"The environment variable CC names {requested!r}, which is not an executable; "
                "correct it, or unset it to use the compiler on the path."
            )
        return _describe(words)
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return _describe([path])
    package = importlib.util.find_spec("ziglang")
    if package is not None and package.origin is not None:
        executable = "zig.exe" if sys.platform == "win32" else "zig"
        version = _stamp(str(Path(package.origin).with_name(executable)))
        return Compiler((sys.executable, "-m", "ziglang", "cc"), version)
    return None


def _describe(words: list[str]) -> Compiler:
    # A word that is a second executable is the compiler behind a launcher, as in CC="ccache gcc".
    paths = [path for word in words if (path := shutil.which(word))]
    return Compiler(tuple(words), " ".join(_stamp(path) for path in paths))


def _stamp(path: str) -> str:
    real = os.path.realpath(path)
    try:
        status = os.stat(real)
    except OSError:
        return real
    return f"{real}:{status.st_size}:{status.st_mtime_ns}"


@functools.cache
def _cpu_features() -> str:
    """Name the instruction sets of this machine: code for another one may crash here."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(("flags", "Features")):
                    return f"{platform.machine()} {line}"
    except OSError:
        pass
    return f"{platform.machine()} {platform.processor()}"


def cache_directory() -> Path:
    """Name the directory of the compiled libraries, a private one inside the user's cache.

    Returns
    -------
    pathlib.Path
        ``compiled`` in ``REPLICA_CACHE_DIR``, else in the cache directory of the platform.

    Raises
    ------
    OSError
        If the home directory is needed and unknown.
    """
    if requested := os.environ.get("REPLICA_CACHE_DIR"):
        return Path(requested).expanduser().absolute() / "compiled"
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = Path(os.environ.get(variable, ""))
    if not base.is_absolute():
        try:
            home = Path.home()
        except RuntimeError as error:
            raise OSError(str(error)) from error
        default = {"darwin": "Library/Caches", "win32": "AppData/Local"}
        base = home / default.get(sys.platform, ".cache")
    return base / "replica" / "compiled"


def _open_cache() -> Path:
    directory = cache_directory()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        status = directory.stat()
        if status.st_uid != os.geteuid():  # never load code that someone else can replace
            raise PermissionError(f"{directory} belongs to another user")
        if status.st_mode & 0o077:
            directory.chmod(0o700)
    return directory


@functools.cache
def _temporary_cache() -> tempfile.TemporaryDirectory[str]:
    """One private directory for the life of this process, which also keeps it from deletion."""
    return tempfile.TemporaryDirectory(prefix="replica-")


@functools.cache
def _warn_of_cache(reason: str) -> None:
    warnings.warn(
        f"The cache of compiled systems cannot be used ({reason}), so this process compiles into a "
        "temporary directory; set REPLICA_CACHE_DIR to a directory of your own to avoid it.",
        BackendWarning,
        stacklevel=3,
    )


def build(source: str, *, compiler: Compiler | None = None) -> Path:
    """Compile C source to a shared library, or find it in the cache.

    Parameters
    ----------
    source : str
        A self-contained C11 translation unit.
    compiler : Compiler, optional
        Default: what `find_compiler` finds.

    Returns
    -------
    pathlib.Path
        The library; the source lies next to it with the suffix ``.c``.

    Raises
    ------
    CompilerError
        If there is no compiler, or it fails.

    Warns
    -----
    BackendWarning
        If the cache directory cannot be used.
    """
    compiler = compiler or find_compiler()
    if compiler is None:
        raise CompilerError(
            "No C compiler was found; install one (for instance `pip install ziglang`), "
            "or name one in the environment variable CC."
        )
    identity = (source, repr((FLAGS, OPTIONAL_FLAGS, compiler)), _cpu_features())
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:40]
    try:
        return _build_in(_open_cache(), key, source, compiler)
    except OSError as error:
        _warn_of_cache(error.strerror or str(error))
    return _build_in(Path(_temporary_cache().name), key, source, compiler)


def load(source: str, *, compiler: Compiler | None = None) -> ctypes.CDLL:
    """Compile C source, or find it in the cache, and load it.

    Parameters
    ----------
    source : str
        A self-contained C11 translation unit.
    compiler : Compiler, optional
        Default: what `find_compiler` finds.

    Returns
    -------
    ctypes.CDLL
        The library. Its functions release the global interpreter lock while they run.

    Raises
    ------
    CompilerError
        If the source cannot be compiled, or the library cannot be loaded even when new.
    """
    library = build(source, compiler=compiler)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        logger.debug("rebuilding %s, which does not load: %s", library, error)
    _checksum_file(library).unlink(missing_ok=True)
    library = build(source, compiler=compiler)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise CompilerError(f"The compiled library {library} cannot be loaded: {error}") from error


def _checksum_file(library: Path) -> Path:
    return library.with_suffix(".sha256")


def _is_intact(library: Path) -> bool:
    # Loading a truncated library can kill the process instead of failing, hence the checksum.
    try:
        expected = _checksum_file(library).read_bytes()
        content = library.read_bytes()
    except FileNotFoundError:
        return False
    return expected == hashlib.sha256(content).digest()


def _build_in(directory: Path, key: str, source: str, compiler: Compiler) -> Path:
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    library = directory / (key + suffix)
    if _is_intact(library):
        logger.debug("found %s", library)
        return library
    source_file = library.with_suffix(".c")
    # All is written in a scratch directory on the same file system and moved: other processes
    # see nothing or a whole file.
    with tempfile.TemporaryDirectory(prefix="build-", dir=directory) as scratch:
        new_source = Path(scratch, source_file.name)
        new_source.write_text(source, encoding="utf-8")
        os.replace(new_source, source_file)
        new_library = Path(scratch, library.name)
        _compile(compiler, source_file, new_library)
        new_checksum = _checksum_file(new_library)
        new_checksum.write_bytes(hashlib.sha256(new_library.read_bytes()).digest())
        os.replace(new_library, library)
        os.replace(new_checksum, _checksum_file(library))
    return library


def _compile(compiler: Compiler, source_file: Path, library: Path) -> None:
    message = ""
    for optional in OPTIONAL_FLAGS:
        files = (str(source_file), "-o", str(library), "-lm")
        command = (*compiler.command, *FLAGS, *optional, *files)
        logger.debug("compiling %s: %s", source_file, shlex.join(command))
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
        except OSError as error:
            raise CompilerError(
                f"The C compiler {shlex.join(compiler.command)} does not start: {error}"
            ) from error
        if result.returncode == 0 and library.exists():
            return
        message = result.stderr or result.stdout
        if not any(flag.split("=")[0] in message for flag in optional):
            break
    lines = message.strip().splitlines()[:N_ERROR_LINES]
    raise CompilerError(
        f"The C compiler {shlex.join(compiler.command)} failed with status {result.returncode} on "
        f"{source_file}, which is kept:\n" + "\n".join(lines)
    )
