"""A training as a part of a study."""

from typing import Literal

from facelab.data.faceset import FaceSet
from facelab.models import Embedder
from facelab.strict import Strict
from facelab.study.experiment import Job
from facelab.train import Checkpoint, Recipe, fit


class Training(Strict):
    """How a network is trained: the recipe, and the precision of the network (losses stay in float32)."""

    recipe: Recipe
    precision: Literal["fp32", "bf16"] = "fp32"

    def changed(self, **fields: object) -> "Training":
        """Return the same with other fields in the recipe."""
        return Training(recipe=self.recipe.model_copy(update=fields), precision=self.precision)

    def embedder(self, faces: FaceSet, job: Job) -> Embedder:
        """Train on these faces; return what the network embeds. A run that was stopped goes on in its training."""
        return self.fit(faces, job).embedder(job.device)

    def fit(self, faces: FaceSet, job: Job, *, start_from: str | None = None) -> Checkpoint:
        """Train on these faces; as :meth:`embedder`, from new weights or those of a network that has a name."""
        return fit(
            self.recipe,
            faces,
            device=job.device,
            precision=self.precision,
            checkpoint=job.scratch / "training.pt",
            start_from=start_from,
            show_progress=job.show_progress,
        )
