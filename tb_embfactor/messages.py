"""Every sentence that the product says to people, as `{code, params, text}`.

A sentence leaves the back end with its code and parameters beside the English text, so that the tab
can say it in another language and a program can act on it. A code is listed here once, with the
template of its English text; a code that is not listed cannot be said.

A good sentence tells what happened, where, what was found, what was needed, and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TEMPLATES: dict[str, str] = {
    # Finding
    "logdir_missing": "The log directory {path} does not exist. Check the path given to --logdir.",
    "logdir_not_directory": "{path} is a file, not a directory. Give the directory that holds your runs.",
    "logdir_spec_entry": "--logdir_spec has the entry {entry!r}, which names no directory. Write name:path, separated by commas.",
    "checkpoints_flag": "--embfactor_checkpoints has the entry {entry!r}. Write RUN=PATH, for example train=/data/ckpt.",
    "checkpoints_missing": "--embfactor_checkpoints names {path} for the run {run!r}, and nothing is there. Check the path.",
    "outside_roots": "{path} leads to {target}, outside the log directory, so it was not opened. "
    "If you trust it, start TensorBoard with --embfactor_allow_root {suggestion}.",
    "scan_limit": "The scan of {path} stopped after {limit} {what}; what lies deeper is not listed. "
    "Point --logdir at a smaller directory.",
    "directory_unreadable": "The directory {path} could not be listed ({reason}).",
    # Reading
    "not_regular_file": "{path} is {kind}, not a regular file, so it was not opened.",
    "file_missing": "{path} is not there any more.",
    "file_unreadable": "{path} could not be opened ({reason}).",
    "file_truncated": "{path} ends at byte {size}, but {needed} bytes are needed ({what}). "
    "It is incomplete or still being written; it is tried again when it changes.",
    "file_incomplete": "{path} is incomplete: {what}. It is cut off or still being written; it is tried again when it changes.",
    "file_damaged": "{path} is damaged: {what}. Write the checkpoint again, or delete it.",
    "file_foreign": "{path} is not {expected}: {got}.",
    "file_too_large": "{path} was not read: {what} is {size}, and the limit is {limit}.",
    "copy_failed": "{path} has to be unpacked or converted once before its rows can be read, and there was no room for {size} in "
    "{directory} ({reason}). Free some space there, or choose another directory with --embfactor_cache.",
    "file_changed": "{path} changed while it was being read, so no result is shown. It is tried again.",
    "file_unsupported": "{path} cannot be read yet: {what}. {next}",
    "pickle_calls": "{path} was not read: what loads it elsewhere calls functions that no model needs ({names}; {n} in all). "
    "Nothing in it was executed here. Load it nowhere else, unless you trust who made it.",
    "tensor_skipped": "{tensor} in {path} was left out: {reason}.",
    "library_missing": "Reading {format} needs the package {package}. Install it with: pip install {package}",
    "set_aside": "{path} was set aside because reading it {how}. It is tried again when the file changes.",
    # Labels
    "labels_unreadable": "The label file {path} could not be used: {reason}. The rows are shown by their numbers.",
    "labels_flag": "The labels {entry!r} name no file. Write [MATRIX=]FILE or [MATRIX=]FILE@ROW, for example tok=vocab.txt@2.",
    "labels_unmatched": "No matrix was found for the labels {entry!r}. Name the one they are for, MATRIX=FILE, or the row that "
    "the first of them belongs to, FILE@ROW.",
    "labels_short": "The label file {path} has {n_labels} rows and {matrix} has {n_rows}; "
    "the last {n_missing} rows have no label.",
    "labels_long": "The label file {path} has {n_labels} rows and {matrix} has {n_rows}; the last {n_extra} labels are not used.",
    # Factoring
    "matrix_empty": "{matrix} has the shape {shape}: there is nothing to factor in it.",
    "rows_not_finite": "All {n_rows} rows of {matrix} hold NaN or Inf, so it has no factors.",
    "sample_too_small": "Too few rows of a sample of {matrix} can be used to tell anything.",
    "no_spread": "All {n_rows} rows of {matrix} are equal, so none of its directions is more than another.",
    "all_zero": "All {n_rows} rows of {matrix} are zero, so it has no factors.",
    "no_matched_rows": "{a} and {b} have {n_rows} rows in common (by {match}), and a comparison needs two.",
    "one_group": "The labels of {matrix} make {n_groups} group, so there are none to tell apart. "
    "Choose a column with several values.",
    "too_many_groups": "The labels of {n_rows} rows of {matrix} make {n_groups} groups, too many to tell apart. "
    "Choose a column with fewer values.",
    "no_line": "The two groups of rows of {matrix} have the same mean, so there is no line between them. Choose other rows.",
    "too_few_rows": "{matrix} has {got} rows to show; {method} needs {needed}.",
    "method_missing": "The method {method} needs more than is installed. Install it with: pip install '{package}'",
    "unknown_column": "{matrix} has no label column {column!r}. Its label columns are: {known}.",
    "negative_entries": "{matrix} has negative entries, and sums of non-negative parts have none. "
    "Take its activated rows: add the transform relu, or bias,relu.",
    "matrix_too_large": "{matrix} is {size}; {what} is limited to {limit}.",
    # Asking
    "unknown_run": "There is no run {run!r}. The runs are: {known}.",
    "unknown_checkpoint": "The run {run!r} has no checkpoint {checkpoint!r}. Its checkpoints are: {known}.",
    "unknown_matrix": "{checkpoint} has no matrix {matrix!r}. Its matrices are: {known}.",
    "unknown_label": "{matrix} has no row with the label {label!r}. Labels like it: {known}.",
    "ambiguous_matrix": "{matrix!r} fits several matrices of {checkpoint}: {known}. Give the whole name.",
    "not_a_checkpoint": "{path} is neither a checkpoint nor a log directory. Formats read so far: {formats}.",
    "several_checkpoints": "{path} holds {n_checkpoints} checkpoints; give one of them: {known}.",
    "no_matrices": "{path} was read, but it holds no matrix (a tensor of numbers with two axes).",
    "no_checkpoints": "No checkpoint was found under {path}.",
    "bad_parameter": "{owner}: {name} must be {needed}; got {got!r}.",
    "demo_port": "{reason}. Choose another --port, or leave it out to get a free one.",
    "missing_parameter": "{owner}: the parameter {name} is missing.",
    "one_shot_iterator": "factorize() needs to read the rows more than once, and {got} can be read once only. "
    "Give an array, a Matrix, or an object whose __iter__ starts anew.",
    "row_blocks_ragged": "The row blocks differ in their number of columns: {first} and {other}.",
    "gone": "{checkpoint} is no longer on disk; only results computed before can be shown.",
    # Beside a picture
    "basis_of_u": "U has orthonormal columns, so all its principal components but one have the same variance: "
    "there are no preferred axes. Shown is a fixed choice, near the columns of U.",
    "fewer_factors": "{matrix} has {rank} directions, fewer than the {k} that were asked for.",
    "block_cut": "Factors {first} to {last} have singular values too near each other to be told apart, and only those up to "
    "{k} are shown.",
    "not_settled": "The search ({method}) had not settled after {n_iterations} steps in {n} of {n_runs} runs; "
    "factors of low consistency are not to be relied on. Try fewer factors.",
    "groups_by_chance": "The axes are chosen to tell {n_groups} groups apart: on the first, {found} of the variance lies between "
    "them. On an axis of random groups it would be {by_chance}.",
    "map_of_neighbours": "A map of neighbours: what lies together is alike, but distances and sizes of groups mean nothing.",
    "rows_skipped": "{n} of {n_rows} rows hold NaN or Inf and are left out.",
    "no_neighbours": "{n} of the {n_asked} rows of {matrix} that were asked for hold NaN or Inf, or have no direction, "
    "and so no neighbours.",
    # Verdicts
    "verdict_constant": "All rows are equal, so no input can be told from another. "
    "Check how the layer is initialised, and whether it gets gradients.",
    "verdict_collapsed": "Collapsed to about {k} of {d} directions, which hold 99.9 % of the variance. "
    "Try a lower learning rate or less weight decay on this layer; or make it narrower, if it needs no more.",
    "verdict_untrained": "Looks untrained: its spectrum is that of a random initialisation. "
    "Check that the layer gets gradients: is it frozen, or are its inputs never used?",
    "verdict_unlearnt": "Nothing learnt that stands out: rows moved, but the spectrum is still that of random numbers. "
    "Train longer, or try a higher learning rate.",
    "verdict_initial": "As initialised: its spectrum is that of random numbers, as it should be at the first checkpoint.",
    "verdict_dominated": "One common direction dominates: two rows have a cosine of {cosine} on average. "
    "Try centring the rows, or taking out the leading direction, before you compare them.",
    "verdict_unmoved": "{n} of {n_rows} rows never moved since the first checkpoint. "
    "Their inputs may never occur: check the vocabulary, the sampling and the padding.",
    "verdict_fine": "No sign of trouble: effective rank {rank} of {d}, and the spectrum stands out from a random initialisation.",
    "verdict_unknown": "Too small to tell learning from chance. That takes at least 50 on the longer side and 9 on the shorter.",
    # Worker
    "task_movement": "Comparing {matrix} of {checkpoint} with the first checkpoint",
    "task_drift": "Measuring how far {matrix} of {checkpoint} has come from an earlier checkpoint",
    "task_scan": "Looking for checkpoints",
    "task_estimated_points": "Sampling {matrix} of {checkpoint}",
    "points_estimated": "A sample until all rows are read: {n} rows, on axes that half of them suggest. The other half finds the "
    "first two with cosines of at least {lowest}.",
    "task_estimate": "Sampling {matrix} of {checkpoint}",
    "task_spectrum": "Factoring {matrix} of {checkpoint}",
    "task_points": "Projecting {matrix} of {checkpoint}",
    "task_compare": "Comparing {matrix} of {checkpoint}",
    "task_neighbors": "Looking for the neighbours of rows of {matrix} of {checkpoint}",
    "task_sparsity": "Counting the zeros of {matrix} of {checkpoint}",
    "task_factors": "Finding the factors of {matrix} of {checkpoint}",
    "task_ranks": "Looking where the noise ends in {matrix} of {checkpoint}",
    "task_labels": "Reading the labels of {matrix}",
    "task_rows": "Reading rows of {matrix} of {checkpoint}",
    "out_of_memory": "{task}: more memory was needed than the worker may use ({limit_gb} GB). "
    "Raise it with --embfactor_memory_gb.",
    "worker_died": "The worker process ended while {task} ({how}). It was started again; nothing else was lost.",
    "worker_timeout": "{task} made no progress for {seconds} s and was ended.",
    "cancelled": "{task} was cancelled.",
    "worker_unavailable": "The worker process could not be started ({reason}).",
    "internal": "Something went wrong in tb_embfactor while {task}: {reason}. Please report it.",
    "projector_missing": "The installed TensorBoard has no standard projector at {path}.",
    "task_tensor": "Reading {matrix} of {checkpoint}",
    # Hints of the empty state
    "hint_allow_root": "They may lie behind a symbolic link that leaves the log directory; use --embfactor_allow_root PATH.",
    "hint_above": "Checkpoints lie above the log directory; use --logdir {path} to see them.",
    "hint_beside": "Checkpoints lie beside the log directory; use --embfactor_checkpoints {run}={path} to see them.",
    "hint_keras": "The run {run} is of Keras' TensorBoard callback, which saves no weights. Add keras.callbacks.ModelCheckpoint "
    "with a file name below the run's directory (docs/recipes.md, Keras).",
    "hint_trainer": "The run {run} is named as Hugging Face's Trainer and torch's SummaryWriter do. Trainer saves as its "
    "save_strategy and save_steps say, by default every 500 steps; a loop of your own has to call torch.save (docs/recipes.md).",
    "hint_lightning": "The run {run} is of PyTorch Lightning, which saves beside the events, unless enable_checkpointing is off "
    "or ModelCheckpoint has a dirpath; then use --embfactor_checkpoints {run}=PATH for it (docs/recipes.md, PyTorch Lightning).",
    "hint_loop": "The run {run} has event files, and no program saved a checkpoint with them. In a loop of your own, save "
    "below its directory, for example by tf.train.CheckpointManager, torch.save or numpy.save (docs/recipes.md).",
    "hint_elsewhere": "They may lie in another directory; use --embfactor_checkpoints RUN=PATH.",
}


@dataclass(frozen=True)
class Message:
    """One sentence: a code of `TEMPLATES`, its parameters, and the English text."""

    code: str
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        TEMPLATES[self.code].format(**self.params)  # an unlisted code or a missing parameter is a bug here

    @property
    def text(self) -> str:
        return TEMPLATES[self.code].format(**self.params)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "params": self.params, "text": self.text}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Message:
        return cls(data["code"], data["params"])
