"""The ONNX engine: exported graphs in ONNX Runtime.

How a turn goes through them depends on their profile: onnx_plain.py, or onnx_bound.py for profile `ort`.
"""

from pathlib import Path
from typing import Any

from visavis.engines.exported import ExportedEngine
from visavis.engines.graphs import GraphFolder, check_model
from visavis.engines.onnx_bound import BoundTurns
from visavis.engines.onnx_plain import PlainTurns


class OnnxEngine(ExportedEngine):
    """Executes an exported folder turn by turn.  One caller at a time."""

    FORM = "onnx"

    def __init__(self, folder: str | Path, model: Path | None = None, *, threads: int = 1, **options: Any) -> None:
        """`model`: the file from which the folder must come; options are those of ExportedEngine."""
        graphs = GraphFolder(folder, threads)
        if model is not None:
            check_model(graphs.folder, graphs.manifest, model)
        super().__init__(folder, graphs.manifest, **options)
        turns: Any = BoundTurns if self.manifest.ring == "layers" else PlainTurns
        self._turns = turns(graphs, self.config)
