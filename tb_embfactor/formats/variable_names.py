"""What the names of variables tell, for checkpoints that record nothing else (TensorFlow 1, SavedModel)."""

from __future__ import annotations

from collections.abc import Mapping

from tb_embfactor.formats import Role

_MAX_SCOPES_STRIPPED = 8
_ACCUMULATING = ("Adagrad", "Ftrl")


def guess_role(name: str) -> Role:
    """From the last two parts of a name like `encoder/embeddings/word_table` or `hidden/kernel`."""
    scope, _, variable = name.rpartition("/")
    if variable == "kernel":
        return "kernel"
    return "embedding" if "embedding" in variable.lower() or "embedding" in scope.rpartition("/")[2].lower() else "other"


def name_beside(name: str, sibling: str) -> str:
    """`hidden/bias` beside `hidden/kernel`."""
    return name[: name.rfind("/") + 1] + sibling


def layer_of(name: str) -> str | None:
    """`hidden` of `model/hidden/kernel`."""
    return name.rpartition("/")[0].rpartition("/")[2] or None


def accumulator_of(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """What an optimizer of TensorFlow 1 keeps beside a variable that adds up squared gradients."""
    kept = (f"{name}/{optimizer}" for optimizer in _ACCUMULATING)
    return next((slot for slot in kept if shapes.get(slot) == shapes[name]), None)


def find_hash_tables(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The tables that grow with the inputs they meet: the name of the values, one row for each key, and the name of the keys."""
    tables = {f"{name.removesuffix('-keys')}-values": name for name in shapes if name.endswith("-keys")}
    return {
        values: keys
        for values, keys in tables.items()
        if len(shape := shapes.get(values, ())) == 2 and shapes[keys] in (shape[:1], (shape[0], 1))
    }


def find_slots(shapes: Mapping[str, tuple[int, ...]]) -> set[str]:
    """The variables that an optimizer of TensorFlow 1 keeps beside others, such as the moments of Adam.

    A slot belongs to a variable of the same shape, whose whole name its own continues: `table` has `table/Adam`, or
    `train/table/Adam` where the optimizer ran in a scope. The last part alone says nothing: a table may be called Adam.
    """
    slots = set()
    for name, shape in shapes.items():
        owner = name.rpartition("/")[0]
        for _ in range(_MAX_SCOPES_STRIPPED):
            if not owner:
                break
            if shapes.get(owner) == shape:
                slots.add(name)
                break
            owner = owner.partition("/")[2]
    return slots
