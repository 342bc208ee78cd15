"""The TensorBoard entry: flags, the route table's owner, and the tab's metadata. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from tensorboard.plugins import base_plugin

PLUGIN_NAME = "embfactor"


class EmbfactorLoader(base_plugin.TBLoader):
    """What the entry point names: defines the flags and makes the plugin."""

    def define_flags(self, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group("Embedding Factors plugin")
        group.add_argument(
            "--embfactor_allow_root",
            metavar="PATH",
            action="append",
            default=[],
            help="Also read files that really lie under PATH, for runs that are symbolic links. May be repeated.",
        )
        group.add_argument(
            "--embfactor_checkpoints",
            metavar="RUN=PATH",
            action="append",
            default=[],
            help="Show the checkpoints found under PATH in the run RUN, outside the log directory. May be repeated.",
        )
        group.add_argument(
            "--embfactor_labels",
            metavar="[MATRIX=]FILE[@ROW]",
            action="append",
            default=[],
            help="Labels of the rows of MATRIX (default: of embeddings of as many rows): a vocabulary (.txt, .json), .tsv, .csv "
            "or .parquet; @ROW is the row that the first of them belongs to. May be repeated.",
        )
        group.add_argument(
            "--embfactor_threads",
            metavar="N",
            type=int,
            default=0,
            help="Threads the worker process may compute with (default: half of the processors).",
        )
        group.add_argument(
            "--embfactor_memory_gb",
            metavar="GB",
            type=float,
            default=8.0,
            help="Limit on the worker process's memory (default: 8).",
        )
        group.add_argument(
            "--embfactor_cache",
            metavar="PATH",
            default="",
            help="Directory for computed results (default: tb_embfactor in the user's cache directory); 'none' keeps nothing.",
        )

    def load(self, context: base_plugin.TBContext) -> EmbfactorPlugin:
        return EmbfactorPlugin(context)


class EmbfactorPlugin(base_plugin.TBPlugin):
    """The tab *Embedding Factors*."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        from tb_embfactor.service import Service

        self._service = Service(_settings(context))
        self._service.start_scan()

    def get_plugin_apps(self) -> dict[str, Callable[..., Any]]:
        from tb_embfactor.web.routes import make_apps

        return make_apps(self._service)

    def is_active(self) -> bool:
        return self._service.is_active()

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name="Embedding Factors")


def _settings(context: base_plugin.TBContext) -> Any:
    from tb_embfactor import formats
    from tb_embfactor.copies import default_directory
    from tb_embfactor.worker import Settings

    flags = context.flags
    cache = getattr(flags, "embfactor_cache", "")
    return Settings(
        logdir=context.logdir or "",
        logdir_spec=getattr(flags, "logdir_spec", "") or "",
        allow_roots=tuple(getattr(flags, "embfactor_allow_root", None) or ()),
        checkpoints=tuple(getattr(flags, "embfactor_checkpoints", None) or ()),
        labels=tuple(getattr(flags, "embfactor_labels", None) or ()),
        cache_directory=None if cache == "none" else cache or str(default_directory()),
        threads=getattr(flags, "embfactor_threads", 0) or max(1, (os.cpu_count() or 2) // 2),
        memory_gb=getattr(flags, "embfactor_memory_gb", 8.0),
        formats=formats.table(),
    )
