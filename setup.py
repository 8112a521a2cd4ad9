"""Installs mgtl_tf, polar and experiments.

The ranges here are what the library works with; constraints.txt has the exact
versions that are tested: pip install -c constraints.txt -e '.[dev]'.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"', (HERE / "mgtl_tf/__init__.py").read_text(), re.M
)

REQUIRES = [
    "tensorflow>=2.21,<3",
    "keras>=3.15,<4",
    "numpy>=2.2,<3",
    "scipy>=1.15,<2",
    "h5py>=3.12,<4",
    # The same cv2 as opencv-python, without the display libraries (libGL)
    # that make opencv-python fail to import on a bare server. From 5.0 on its
    # remap samples at exact positions; 4.x rounds them to 1/32 pixel.
    "opencv-python-headless>=5.0,<6",
    # Image files, read strictly: JPEG (libjpeg's warnings as errors), EXIF,
    # TIFF's tags and its codecs.
    "simplejpeg>=1.9,<2",
    "pillow>=11,<14",
    "tifffile>=2025.1.10",
    "imagecodecs>=2025.3.30",
    "absl-py>=2.1,<3",
    "tqdm>=4.67,<5",
    # The report: plots, page, training curves in the browser.
    "matplotlib>=3.10,<4",
    "jinja2>=3.1,<4",
    "tensorboard>=2.20,<3",
    # The paper's tables as Markdown and text.
    "pandas>=2.2,<4",
    "tabulate>=0.9,<1",
    # Geodesics and map projections.
    "pyproj>=3.7,<4",
    # JSON files are validated against the declared shape of their content.
    "pydantic>=2.10,<3",
]

EXTRAS = {
    # Hard negatives of large data sets and searches of large galleries.
    "faiss": ["faiss-cpu>=1.12,<2"],
    # Galleries in Milvus: a local file, or a cluster.
    "milvus": ["pymilvus>=3.0,<4", "milvus-lite>=3.2,<4", "faiss-cpu>=1.12,<2"],
    # --runner=ray: preparing, indexing and evaluating on many machines.
    "ray": ["ray[data]>=2.50,<3"],
    # Galleries cut from maps (GeoTIFF, Z/X/Y tiles).
    "tiles": ["rasterio>=1.4,<2"],
    # experiments.export --formats=onnx and --formats=tflite.
    "onnx": ["onnx>=1.20,<2", "onnxruntime>=1.23,<2", "tf2onnx>=1.17,<2"],
    "tflite": ["ai-edge-litert>=2.1,<3"],
    "gpu": ["tensorflow[and-cuda]>=2.21,<3"],
    # The page and the endpoint of experiments.serve.
    "serve": [
        "starlette>=1.0,<2",
        "uvicorn>=0.40,<1",
        "python-multipart>=0.0.20,<1",
    ],
    "docs": [
        "mkdocs>=1.6,<2",
        "mkdocstrings>=1.0,<2",
        "mkdocstrings-python>=2.0,<3",
    ],
}
# Linters, and all extras whose code the tests run; selenium: the page is
# tested in Chromium; jax: the GPU benchmark's own training.
EXTRAS["dev"] = [
    "ruff",
    "mypy",
    "pytest>=9",
    "pytest-xdist",
    "hypothesis",
    "selenium",
    "jax",
    *(
        requirement
        for extra in (
            "serve",
            "milvus",
            "ray",
            "tiles",
            "onnx",
            "tflite",
            "docs",
        )
        for requirement in EXTRAS[extra]
    ),
]

setup(
    name="mgtl_tf",
    version=VERSION.group(1),
    description="MGTL and the harness around it: cross-view geo-localization",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(
        include=["mgtl_tf", "mgtl_tf.*", "polar", "experiments"]
    ),
    # Of every package: its page templates, styles, scripts, vendored files,
    # tables of figures.
    package_data={"": ["templates/**", "static/**", "*.csv", "py.typed"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
)
