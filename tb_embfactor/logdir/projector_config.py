"""`projector_config.pbtxt`: which metadata file TensorBoard's projector shows beside which tensor.

People name tensors in it as their framework's tutorial told them: `embedding:0`, an object path with
`/.ATTRIBUTES/VARIABLE_VALUE`, or nothing at all. So names are matched from strict to lenient, and a lenient match counts only
where it is the only one. A path in it is a stranger's: as in TensorBoard it must lie in the config's own directory
(or under a root that the user allowed by flag).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb_embfactor.errors import ConfinementError, ReadError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.sources import Confinement

FILE_NAME = "projector_config.pbtxt"
ASSETS_DIRECTORY = "plugins/org_tensorflow_tensorboard_projector"
MAX_CONFIG_BYTES = 4 << 20
_ESCAPE = re.compile(r"\.([S.])")


@dataclass(frozen=True)
class ConfigEntry:
    """One `embeddings { … }`. `has_tensor_file`: it describes a tensor of its own, not one of a checkpoint."""

    tensor_name: str
    metadata_path: str
    has_tensor_file: bool


def read_config(confinement: Confinement, path: Path) -> tuple[ConfigEntry, ...]:
    """The entries that name a metadata file; ReadError (`labels_unreadable`, …) where the config cannot be read."""
    from google.protobuf import text_format
    from tensorboard.plugins.projector import projector_config_pb2

    with confinement.open(path) as source:
        if source.size > MAX_CONFIG_BYTES:
            size, limit = f"{source.size:,} bytes", f"{MAX_CONFIG_BYTES:,} bytes"
            raise ReadError("file_too_large", path=source.name, what="a projector configuration", size=size, limit=limit)
        text = source.read_at(0, source.size).decode("utf-8", "replace")
        shown = source.name
    try:
        config = text_format.Parse(text, projector_config_pb2.ProjectorConfig(), allow_unknown_field=True)
    except Exception as error:  # text_format answers damage with ParseError, and depth or odd tokens with whatever comes
        reason = f"it is not a projector configuration, {str(error)[:200]}"
        raise ReadError("labels_unreadable", path=shown, reason=reason) from None
    entries = [item for item in config.embeddings if item.metadata_path]
    return tuple(ConfigEntry(item.tensor_name, item.metadata_path, bool(item.tensor_path)) for item in entries)


def metadata_file(entry: ConfigEntry, directory: str, confinement: Confinement, allowed: Sequence[Path]) -> Path:
    """The path that an entry's metadata_path means, or an error that says why it is not followed.

    Links are judged when the file is opened; here it is only about where the written path points.
    """
    written = entry.metadata_path
    if "\0" in written:
        raise ReadError("labels_unreadable", path=repr(written), reason="its name holds a zero byte")
    path = os.path.normpath(os.path.join(directory, written))
    shown = confinement.show(Path(path))
    real = os.path.realpath(path)
    is_inside = Path(path).is_relative_to(directory) or Path(real).is_relative_to(os.path.realpath(directory))
    if is_inside or any(Path(real).is_relative_to(root) for root in allowed):
        return Path(path)
    if not confinement.allows(real):
        raise ConfinementError("outside_roots", path=shown, target=real, suggestion=os.path.dirname(real))
    raise ReadError(
        "labels_unreadable", path=shown, reason=f"the metadata_path {written!r} leaves the directory of its {FILE_NAME}"
    )


def match_entries(entries: Sequence[ConfigEntry], matrices: Sequence[MatrixInfo]) -> dict[str, ConfigEntry]:
    """Matrix name → the entry that describes it. Of several entries for one matrix the first counts, as in TensorBoard."""
    embeddings = [info for info in matrices if info.role == "embedding"]
    found: dict[str, ConfigEntry] = {}
    unmatched: list[ConfigEntry] = []
    for entry in entries:
        if not entry.tensor_name:
            if len(embeddings) == 1 and not entry.has_tensor_file:
                found.setdefault(embeddings[0].name, entry)
            continue
        info = _matching(entry.tensor_name, matrices)
        if info is not None:
            found.setdefault(info.name, entry)
        elif not entry.has_tensor_file:
            unmatched.append(entry)
    # One tensor named, one embedding there: some object path that the checkpoint calls differently.
    if len(unmatched) == 1 and len(embeddings) == 1 and not found:
        found[embeddings[0].name] = unmatched[0]
    return found


def canonical(name: str) -> str:
    """A tensor's name without what frameworks add: `:0`, `/.ATTRIBUTES/VARIABLE_VALUE`, and the escapes of "/" and "."."""
    name = name.removesuffix(":0").removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
    return _ESCAPE.sub(lambda match: "/" if match[1] == "S" else ".", name).strip("/")


def _matching(tensor_name: str, matrices: Sequence[MatrixInfo]) -> MatrixInfo | None:
    wanted = canonical(tensor_name)

    def ends_alike(info: MatrixInfo) -> bool:
        name = canonical(info.name)
        return bool(wanted) and (name.endswith("/" + wanted) or wanted.endswith("/" + name))

    tests: tuple[Callable[[MatrixInfo], bool], ...] = (
        lambda info: tensor_name in (info.name, info.stored_name),
        lambda info: wanted in (canonical(info.name), info.stored_name and canonical(info.stored_name)),
        ends_alike,
        lambda info: info.layer is not None and f"/{canonical(info.layer)}/" in f"/{wanted}/",
    )
    for test in tests:
        found = [info for info in matrices if test(info)]
        if found:
            return found[0] if len(found) == 1 else None
    return None
