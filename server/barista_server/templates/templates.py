"""Templates: a folder with net.prototxt and solver.prototxt each, and the dataset it needs."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from google.protobuf import text_encoding

from barista_server.caffe.atomic import replacing
from barista_server.data.digits import write_digits_lmdb, write_pairs_lmdb

_FILES = ("net.prototxt", "solver.prototxt")
_MADE = {"digits": write_digits_lmdb, "pairs": write_pairs_lmdb}
"""Datasets that are made on the spot."""
_PLACEHOLDER = re.compile(r"@(\w+)@")


class TemplateError(ValueError):
    """An unknown template, or one whose dataset was not named."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its name, what it is in one line, and the key of the dataset it needs.

    Datasets "digits" and "pairs" are made on the spot; "cifar10" is a folder with cifar10_train_lmdb and
    cifar10_test_lmdb, "imagenet" one with ilsvrc12_train_lmdb and ilsvrc12_val_lmdb.
    """

    name: str
    summary: str
    dataset: str

    @property
    def is_made(self) -> bool:
        """Its data needs nobody to bring it."""
        return self.dataset in _MADE


_TEMPLATES = (
    Template("lenet-digits", "LeNet on the UCI handwritten digits, enlarged to 28x28", "digits"),
    Template("cifar10-quick", "Three convolutions on CIFAR-10, 32x32 colour images", "cifar10"),
    Template("autoencoder", "Digits through 32 numbers and back, trained on their pixels alone", "digits"),
    Template("siamese", "Two LeNets with shared weights learn which digits are the same", "pairs"),
    Template("alexnet", "AlexNet for ImageNet, 227x227 colour pictures in 1000 classes", "imagenet"),
)


def list_templates() -> list[Template]:
    """All templates, the one for newcomers first."""
    return list(_TEMPLATES)


def instantiate(name: str, folder: str | Path, datasets: dict[str, str]) -> None:
    """Write the template's net.prototxt and solver.prototxt into an existing folder.

    datasets maps the template's dataset to the folder of its databases, absolute or relative to `folder`,
    which is where the training will run; what is made on the spot is written there if it is absent.
    Raises TemplateError, OSError.
    """
    template = next((template for template in _TEMPLATES if template.name == name), None)
    if template is None:
        known = ", ".join(template.name for template in _TEMPLATES)
        raise TemplateError(f"no template '{name}'; there are {known}")
    if template.dataset not in datasets:
        raise TemplateError(f"template '{name}' needs the folder of dataset '{template.dataset}'")
    if template.is_made:
        _MADE[template.dataset](Path(folder, datasets[template.dataset]))
    source = files("barista_server.templates").joinpath(name)
    for file in _FILES:
        text = _PLACEHOLDER.sub(
            lambda found: _quoted(datasets[found[1]]), source.joinpath(file).read_text("utf-8")
        )
        with replacing(Path(folder, file)) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _quoted(path: str) -> str:
    """The path as it stands inside quotes in a prototxt."""
    return str(text_encoding.CEscape((path.rstrip("/") or path).encode(), as_utf8=True))
