"""A network leaves Python: ONNX files that any runtime takes."""

from facelab.export.graphs import export_alignment, export_mtcnn, export_network

__all__ = ["export_alignment", "export_mtcnn", "export_network"]
