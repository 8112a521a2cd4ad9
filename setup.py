"""Installs mgtl_tf, polar and experiments; requirements.txt holds the pins."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

SERVE = [
    "starlette==1.10.0",
    "uvicorn==0.54.0",
    "python-multipart==0.0.34",
]

MILVUS = ["pymilvus==3.0.2", "milvus-lite==3.2.2", "faiss-cpu==1.15.1"]


def pins() -> list[str]:
    """The requirement lines of requirements.txt, without its comments."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


setup(
    name="mgtl_tf",
    version="0.1.0",
    description="MGTL and the harness around it: cross-view geo-localization",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(
        include=["mgtl_tf*", "polar*", "experiments*", "benchmarks*"]
    ),
    package_data={
        "mgtl_tf": [
            "analysis/templates/*",
            "retrieval/report/templates/*",
            "serving/templates/*",
            "serving/static/*",
        ]
    },
    install_requires=pins(),
    extras_require={
        # Hard negatives of large data sets are then mined by FAISS, and
        # large galleries searched.
        "faiss": ["faiss-cpu==1.15.1"],
        # Galleries in Milvus: a local file, or a cluster.
        "milvus": MILVUS,
        # Maps (GeoTIFF, z/x/y tiles) are then cut into galleries.
        "tiles": ["rasterio==1.4.4"],
        # experiments.export --formats=onnx and --formats=tflite.
        "onnx": ["onnx==1.23.2", "onnxruntime==1.32.0", "tf2onnx==1.17.0"],
        "tflite": ["ai-edge-litert==2.3.0"],
        "gpu": ["tensorflow[and-cuda]==2.21.0"],
        # The page and the endpoint of experiments.serve.
        "serve": SERVE,
        "dev": [
            "ruff==0.17.6",
            "mypy==2.4.1",
            "pytest==9.2.0",
            "pytest-xdist==3.8.0",
            "hypothesis==6.170.15",
            *SERVE,
            # The page is tested in Chromium.
            "selenium==4.51.0",
            # Both ways of mining, and of searching, are tested to agree.
            "faiss-cpu==1.15.1",
            *MILVUS,
            "rasterio==1.4.4",
            # So are the exported formats.
            "onnx==1.23.2",
            "onnxruntime==1.32.0",
            "tf2onnx==1.17.0",
            "ai-edge-litert==2.3.0",
        ],
    },
)
