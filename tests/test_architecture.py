"""Imports go downward only, and heavy packages stay out of the modules that TensorBoard imports when it starts.

The rules are tables; `violations` reads the source of every module with `ast` and returns what breaks them, so that the checker
itself can be tried on a small tree that does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "tb_embfactor"

FLOOR = {
    "__init__": 7,
    "__main__": 7,
    "cli": 7,
    "demo": 6,
    "plugin": 6,
    "web": 5,
    "service": 4,
    "cache": 3,
    "worker": 3,
    "analysis": 2,
    "linalg": 2,
    "transforms": 2,
    "formats": 2,
    "logdir": 2,
    "schema": 2,
    "copies": 1,
    "sources": 1,
    "arrays": 0,
    "errors": 0,
    "messages": 0,
}
"""Which floor each room (top-level module or package) is on. A room may import rooms of its own floor and of those below."""

APART = {("formats", "linalg"), ("linalg", "formats")}

SERVER_ROOMS = {"plugin", "web", "demo"}
SERVER_PACKAGES = {"tensorboard", "werkzeug"}
SERVER_FREE = ("tensorboard.compat.proto", "tensorboard.plugins.projector.projector_config_pb2")
"""Message types that TensorBoard ships; other rooms use them, inside functions."""

FRAMEWORKS = {"tensorflow", "torch", "keras", "tf_keras", "jax"}
COMPUTING = {"scipy", "sklearn", "pandas"}
COMPUTING_ROOMS = {"linalg", "analysis"}


@dataclass(frozen=True)
class Import:
    """One imported module, as a dotted name. at_top: it runs when the importing module is imported."""

    file: str
    line: int
    room: str
    target: str
    at_top: bool

    @property
    def root(self) -> str:
        return self.target.split(".")[0]

    @property
    def target_room(self) -> str | None:
        """The room of ours that is imported; None for other packages, and for the names of the package itself."""
        parts = self.target.split(".")
        return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None

    def breaks(self, rule: str) -> str:
        return f"{self.file}:{self.line} imports {self.target}: {rule}"


def room_of(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def imports_of(tree: Path) -> Iterator[Import]:
    """Every import statement below the package directory `tree`, those of type checking and in functions included."""
    for path in sorted(tree.rglob("*.py")):
        parts = path.relative_to(tree).parts
        package = (PACKAGE, *parts[:-1])
        module = ast.parse(path.read_text(encoding="utf-8"), str(path))
        late = {id(node) for scope in ast.walk(module) if runs_later(scope) for node in ast.walk(scope)}
        for node in ast.walk(module):
            for target in targets_of(node, package, tree):
                yield Import("/".join(parts), node.lineno, room_of(parts), target, id(node) not in late)  # type: ignore[attr-defined]


def runs_later(node: ast.AST) -> bool:
    is_type_checking = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return is_type_checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def targets_of(node: ast.AST, package: tuple[str, ...], tree: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else ()
        source = ".".join([*base, *([node.module] if node.module else [])])
        for alias in node.names:  # `from package import module` imports the module
            inside = tree.parent.joinpath(*source.split("."), alias.name)
            is_module = source.split(".")[0] != PACKAGE or inside.is_dir() or inside.with_suffix(".py").is_file()
            yield f"{source}.{alias.name}" if is_module else source


def violations(tree: Path) -> list[str]:
    found = list(imports_of(tree))
    rooms = {room_of(path.relative_to(tree).parts) for path in tree.rglob("*.py")}
    broken = [f"{room} has no floor: give it one in FLOOR" for room in sorted(rooms - FLOOR.keys())]
    for each in found:
        here, there = each.room, each.target_room
        if here not in FLOOR:
            continue
        if there in FLOOR and FLOOR[there] > FLOOR[here]:
            broken.append(each.breaks(f"{there} is above {here}"))
        if (here, there) in APART:
            broken.append(each.breaks(f"{here} and {there} know nothing of each other"))
        if each.root in FRAMEWORKS and each.at_top:
            broken.append(each.breaks("frameworks are imported inside functions"))
        if each.root in COMPUTING and each.at_top and here not in COMPUTING_ROOMS:
            broken.append(each.breaks(f"at module top only in {' and '.join(sorted(COMPUTING_ROOMS))}"))
        if each.root in SERVER_PACKAGES and here not in SERVER_ROOMS and (each.at_top or not each.target.startswith(SERVER_FREE)):
            broken.append(each.breaks(f"only {', '.join(sorted(SERVER_ROOMS))} know TensorBoard's server"))
    return broken + [f"these rooms import each other in a circle: {' → '.join(circle)}" for circle in circles(found)]


def circles(found: list[Import]) -> Iterator[list[str]]:
    """Rooms of one floor may import each other, but not in a circle. Imports for type checking alone do not count."""
    graph: dict[str, set[str]] = {}
    for each in found:
        if each.at_top and each.target_room in FLOOR and each.target_room != each.room:
            graph.setdefault(each.room, set()).add(each.target_room)

    def walk(room: str, path: list[str]) -> Iterator[list[str]]:
        if room in path:
            yield [*path[path.index(room) :], room]
            return
        for below in sorted(graph.get(room, ())):
            yield from walk(below, [*path, room])

    for room in sorted(graph):
        for circle in walk(room, []):
            if circle[0] == room == min(circle):
                yield circle


def test_imports_go_downward(repository: Path) -> None:
    assert violations(repository / PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("linalg/svd.py", "from tb_embfactor.service import Service", "service is above linalg"),
        ("linalg/svd.py", "from .. import service", "service is above linalg"),
        ("linalg/svd.py", "def late():\n    import tb_embfactor.web.routes", "web is above linalg"),
        ("sources.py", "if TYPE_CHECKING:\n    from tb_embfactor.logdir import Run", "logdir is above sources"),
        ("formats/npy.py", "from tb_embfactor.linalg import blocks", "know nothing of each other"),
        ("linalg/svd.py", "from tb_embfactor import formats", "know nothing of each other"),
        ("formats/keras.py", "try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None", "inside functions"),
        ("formats/npy.py", "from scipy import sparse", "only in analysis and linalg"),
        ("service.py", "from werkzeug.wrappers import Request", "know TensorBoard's server"),
        ("logdir/runs.py", "def late():\n    from tensorboard.backend import http_util", "know TensorBoard's server"),
        ("formats/tf.py", "from tensorboard.compat.proto import types_pb2", "know TensorBoard's server"),
        ("cellar.py", "", "cellar has no floor"),
        ("logdir/runs.py", "from tb_embfactor import formats\n", "formats → logdir → formats"),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    tree = sound_tree(tmp_path)
    (tree / file).write_text(source, encoding="utf-8")
    if "circle" in complaint or "→" in complaint:
        (tree / "formats" / "__init__.py").write_text("import tb_embfactor.logdir", encoding="utf-8")
    found = violations(tree)
    assert len(found) == 1
    assert complaint in found[0]


def test_a_sound_tree_breaks_no_rule(tmp_path: Path) -> None:
    assert violations(sound_tree(tmp_path)) == []


def sound_tree(directory: Path) -> Path:
    sources = {
        "__init__.py": "",
        "plugin.py": "from tensorboard.plugins import base_plugin\nfrom tb_embfactor.web import routes",
        "web/__init__.py": "",
        "web/routes.py": "from werkzeug import wrappers\nfrom tb_embfactor.service import Service",
        "service.py": "class Service: ...",
        "linalg/__init__.py": "import scipy.linalg",
        "linalg/svd.py": "from tb_embfactor.sources import FileSource",
        "formats/__init__.py": "def late():\n    import tensorflow\n    from tensorboard.compat.proto import types_pb2",
        "formats/keras.py": "from tb_embfactor.sources import FileSource",
        "logdir/__init__.py": "from tb_embfactor.formats import keras",
        "sources.py": "class FileSource: ...",
    }
    for name, source in sources.items():
        path = directory / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return directory / PACKAGE
