"""TensorBoard on the demo runs: all of them in a clone of the repository, those that `setup.py` packs in an installed package."""

from __future__ import annotations

from pathlib import Path

from tb_embfactor.errors import UsageError


def demo_logs() -> Path:
    """The log directory to show."""
    packed = Path(__file__).with_name("demo_logs")
    return packed if packed.is_dir() else Path(__file__).parents[1] / "demo_logs"


def start(port: int | None) -> str:
    """Start TensorBoard in a thread of this process, and return the address of the tab.

    port : None for a free one, from 6006 on. UsageError where it cannot be had.
    """
    from tensorboard import default, program

    board = program.TensorBoard(default.get_plugins())
    # Slower for large event files, but without a process of its own and a note on the terminal.
    flags = ["--logdir", str(demo_logs()), "--load_fast", "false"]
    board.configure(["", *flags, *([] if port is None else ["--port", str(port)])])
    try:
        return f"{board.launch()}#embfactor"
    except program.TensorBoardServerException as error:
        raise UsageError("demo_port", reason=error.msg) from None
