"""The distribution: what is installed, what it needs, and where TensorBoard and the shell find it."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
README = HERE / "README.md"
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "tb_embfactor" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)[
    1
]
PACKED_RUNS = ("article_example", "collapsed", "sentiment_factorized")
"""The demo runs that an installed `tb-embfactor demo` shows; MANIFEST.in names them, too."""


class BuildWithDemo(build_py):
    """Packs demo runs, which lie beside the package in the repository, into it."""

    def run(self) -> None:
        super().run()
        for run in PACKED_RUNS if not self.editable_mode else ():
            packed = Path(self.build_lib) / "tb_embfactor" / "demo_logs" / run
            shutil.copytree(HERE / "demo_logs" / run, packed, dirs_exist_ok=True)


setup(
    name="tb-embfactor",
    version=VERSION,
    description="TensorBoard plugin: the exact spectra, factors and projections of embedding matrices, at every checkpoint",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["tb_embfactor", "tb_embfactor.*"]),
    cmdclass={"build_py": BuildWithDemo},
    package_data={"tb_embfactor": ["static/*", "py.typed"]},
    python_requires=">=3.11",
    install_requires=[
        "tensorboard>=2.21",  # older ones need pkg_resources, which setuptools no longer has
        "numpy>=1.26",
        "scipy>=1.13.1",
        "scikit-learn>=1.5",
        "threadpoolctl>=3.5",
        "protobuf>=6.31.1,<8",
        "google-crc32c>=1.9",
        "ml_dtypes>=0.5",
        "safetensors>=0.5",
    ],
    extras_require={
        "tensorflow": ["tensorflow>=2.21"],
        "umap": ["umap-learn>=0.5.9"],
        "parquet": ["pyarrow>=17"],
        "test": ["pytest>=8.3", "mypy>=2.4,<3", "ruff>=0.17.6,<0.18", "setuptools>=77", "umap-learn>=0.5.9", "pyarrow>=17"],
    },
    entry_points={
        "tensorboard_plugins": ["embfactor = tb_embfactor.plugin:EmbfactorLoader"],
        "console_scripts": ["tb-embfactor = tb_embfactor.cli:main"],
    },
    classifiers=[
        "Environment :: Web Environment",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Visualization",
    ],
)
