"""Programs that are installed for the peers, at the versions that the figures are of."""

RAPIDOCR = ("rapidocr==3.10.0", "onnxruntime>=1.28")
RAPIDOCR_OPENVINO = ("rapidocr==3.10.0", "openvino>=2026.2")
"""With the PP-OCRv6 models in the package."""
OCRMYPDF = ("ocrmypdf>=17,<18",)
KRAKEN = (
    "kraken==7.1.1",
    "msgspec>=0.20",
    "torch==2.13.0",
    "onnx>=1.19",
    "onnxruntime>=1.28",
    "rapidfuzz>=3",
    "numba>=0.61",
    "opencv-python-headless>=5",
)
"""With what ``carrel export`` needs."""
TROCR = ("torch==2.13.0", "transformers==5.24.0", "safetensors>=0.5", "msgspec>=0.20", "numpy>=2")
PIXELS = ("numpy==2.4.6", "scikit-image==0.26.0", "doxapy==0.9.2")
DECODERS = ("numpy<2", "fast-ctc-decode==0.3.7", "pyctcdecode==0.5.0", "flashlight-text==0.0.7", "kenlm==0.3.0")
