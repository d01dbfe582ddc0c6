import pandas as pd
import pytest

from facelab.train import Checkpoint, Recipe
from facelab.train.log import Log

LOSSES = [3.0, 2.0, 1.5]


def state_after(epochs: int) -> Checkpoint:
    """A training at the end of an epoch, one step into the next."""
    rows = [
        {"epoch": i + 1, "loss": x, "accuracy": 0.1, "images": 10, "seconds": 2.0, "learning_rate": 0.1}
        for i, x in enumerate(LOSSES[: epochs + 1])
    ]
    return Checkpoint(Recipe(), [], "", step=5 * epochs + 1, steps_per_epoch=5, history=rows)


def test_the_table_has_every_finished_epoch_once_also_after_a_step_back(tmp_path):
    for epochs in (1, 2, 1, 2):  # killed after epoch 2, resumed from a checkpoint of epoch 1
        with Log(tmp_path / "a.pt", tensorboard=False, state=state_after(epochs)):
            pass
        table = pd.read_csv(tmp_path / "a.csv")
        assert table["loss"].tolist() == LOSSES[:epochs]
    assert table["images_per_second"].tolist() == [5.0, 5.0]


@pytest.mark.filterwarnings("default")  # the reader's own
def test_tensorboard_reads_the_epochs(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Log(tmp_path / "a.pt", tensorboard=True, state=state_after(0)) as log:
        for epochs in (1, 2):
            log.write(state_after(epochs))
    events = reader.EventAccumulator(str(tmp_path / "a-tensorboard")).Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(1, 3.0), (2, 2.0)]
