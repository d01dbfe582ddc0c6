"""Plans of seconds of the studies that come with facelab."""

ALIGNMENT = """
name = "tiny-alignment"
title = "Alignment, a few people"
experiment = "alignment"

[settings]
seeds = [0, 1]
replicates = 100
training.recipe.backbone = "resnet18"
training.recipe.size = 32
training.recipe.embedding_dim = 16
training.recipe.epochs = 1
training.recipe.batch_size = 10
training.recipe.learning_rate = 0.02

[settings.faces.orl]
photographs.identities = 5
strangers = 3
epochs = 1
"""
RENDERED = """
[settings.faces.mini]
photographs.rendered = { identities = 6, images = 5, seed = 7, margin = 56, ranges = { yaw = 0.1, occluders = 0 } }
strangers = 4
epochs = 1
"""
SYNTHFACES = """
name = "tiny-synthfaces"
title = "The card, a few people"
experiment = "synthfaces"

[settings]
detection = { identities = 2, images = 2, seed = 77, margin = 56, ranges = { yaw = 0.1, profile = 0, occluders = 0 } }
closed_set = { identities = 9, images = 3, held_out = 6, ranges = { yaw = 0.1, profile = 0, occluders = 0 } }
train_images = 2
carry_over = { identities = 3, images = 2, seed = 900 }
orl_identities = 4
training.recipe = { backbone = "resnet18", size = 32, epochs = 1, batch_size = 4, learning_rate = 0.02 }

[settings.ablation.plain]
title = "no augmentation"
faces = { identities = 3, images = 2, seed = 900 }
augment = false
"""
DETECTION = """
name = "tiny-detection"
title = "Detectors, a few photographs"
experiment = "detection"

[settings]
detectors = ["mtcnn", "cascade"]
photographs = { photographs = 3, seed = 4, width = 320, height = 240, most = 2, largest = 120.0 }
orl = 3
"""
TRANSFER = """
name = "tiny-transfer"
title = "Rendered to real, four people"
experiment = "transfer"

[settings]
identities = 4
networks = ["synthfaces-arcface"]
beside = ["pixels", "lbp", "hog", "eigenfaces"]
reference = "synthfaces-arcface"
people = [2]
seeds = [0, 1]
replicates = 100

[settings.further.synthfaces-arcface.recipe]
backbone = "mobilefacenet"
size = 64
embedding_dim = 128
epochs = 1
batch_size = 10
learning_rate = 0.003
loss = { name = "arcface", scale = 16.0, margin = 0.3 }
"""
FACTORS = """
name = "tiny-factors"
title = "One factor, four people"
experiment = "factors"

[settings]
networks = ["synthfaces-arcface"]
calibration = { identities = 3, images = 3, seed = 3 }
far = 0.1
people = 4
seed = 5
replicates = 100

[settings.factors.yaw]
part = "scene"
factor = "yaw"
unit = "yaw"
degrees = true
values = [0.0, 1.0]
"""
