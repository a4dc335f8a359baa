"""A deployed net as files: the prototxt with what its inputs expect, the same for programs and for people."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from barista_server.caffe.deploy import Deployment, Given, shape_words
from barista_server.caffe.prototxt import to_text
from barista_server.caffe.schema import LayerParameter, NetParameter
from barista_server.caffe.tolerant import UnknownField

NET_FILE = "deploy.prototxt"
FACTS_FILE = "deploy.json"
README_FILE = "README.md"
MEAN_FILE = "mean.binaryproto"
_LAYER = re.compile(r"layer\[(\d+)\]\.(.+)")


@dataclass(frozen=True)
class Preprocessing:
    """What the data layer did to each item before the net saw it in a test; numbers as in transform_param.

    ``mean_file``: name within the folder, or the path if it did not come along. ``resize``: height and width.
    """

    layer: str
    type: str
    source: str = ""
    resize: tuple[int, int] | None = None
    colour: str = ""
    crop_size: int = 0
    mean_value: tuple[float, ...] = ()
    mean_file: str = ""
    scale: float = 1.0

    def words(self) -> list[str]:
        """In the order in which it is done."""
        steps = []
        if self.resize is not None:
            steps.append(f"resized to {self.resize[0]} x {self.resize[1]} (height x width)")
        if self.colour:
            steps.append(self.colour)
        if self.crop_size:
            steps.append(f"{self.crop_size} x {self.crop_size} cut out of the middle")
        if self.mean_file:
            steps.append(f"less the mean in {self.mean_file}, cut out alike" if self.crop_size
                         else f"less the mean in {self.mean_file}")  # fmt: skip
        if self.mean_value:
            steps.append(f"less {', '.join(f'{value:g}' for value in self.mean_value)}"
                         + (" (a number per channel)" if len(self.mean_value) > 1 else ""))  # fmt: skip
        if self.scale != 1:
            steps.append(f"times {self.scale:.9g}")
        return steps or ["as it was read, unchanged"]


@dataclass(frozen=True)
class Origin:
    """Where a deployed net is from."""

    session: str
    iteration: int
    model: str
    """Name of the weights' file."""
    made: str = ""
    """When, as text."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further facts, as the numeric check."""


def preprocessing(layer: LayerParameter) -> Preprocessing:
    """What a data layer does to its data in the phase TEST."""
    transform, image = layer.transform_param, layer.image_data_param
    resize = (image.new_height, image.new_width) if layer.type == "ImageData" and image.new_height else None
    source = next((block.source for block in (layer.data_param, layer.hdf5_data_param, image,
                                              layer.window_data_param) if block.source), "")  # fmt: skip
    colour = ""
    if layer.type in ("ImageData", "WindowData"):
        colour = (
            "channels blue, green, red"
            if layer.type == "WindowData" or image.is_color
            else "one channel of grey"
        )
    elif transform.force_color or transform.force_gray:
        colour = "channels blue, green, red" if transform.force_color else "one channel of grey"
    return Preprocessing(
        layer=layer.name,
        type=layer.type,
        source=source,
        resize=resize,
        colour=colour,
        crop_size=transform.crop_size,
        mean_value=tuple(transform.mean_value),
        mean_file=transform.mean_file,
        scale=transform.scale,
    )


def net_text(found: Deployment, origin: Origin, steps: Mapping[str, Preprocessing],
             foreign: Sequence[UnknownField] = ()) -> str:  # fmt: skip
    """deploy.prototxt: comments, then the net; fields of forks stand where they stood."""
    lines = [
        f"{_line(origin.session)}, iteration {origin.iteration}: a net to be used,",
        f"with the weights in {origin.model}.",
        "What its inputs expect is also in deploy.json, for programs.",
    ]
    for one in found.inputs:
        lines += [
            "",
            f"Input {_line(one.name)}: {shape_words(one.shape)}",
            *(f"  {line}" for line in _expects(one, steps)),
        ]
    lines.append("")
    for said in found.outputs:
        lines.append(f"Output {_line(said.name)}: {shape_words(said.shape)}, {_line(said.what)}")
    comments = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return comments + "\n" + _body(found, foreign)


def _line(text: str) -> str:
    """Nothing from outside ends a comment."""
    return " ".join(text.split())


def _expects(one: Given, steps: Mapping[str, Preprocessing]) -> list[str]:
    found = steps.get(one.name)
    if found is None:
        return []
    lines = []
    if one.is_part:
        lines.append(f"a part of what was '{_line(one.of)}' in training")
    if found.source:
        lines.append(f"in training from {_line(found.source)} ({found.type})")
    else:
        lines.append(f"in training from layer {_line(found.layer)} ({found.type})")
    return [*lines, *map(_line, found.words())]


def _body(found: Deployment, foreign: Sequence[UnknownField]) -> str:
    head = NetParameter(name=found.net.name)
    parts = [to_text(head)]
    for layer, number in zip(found.net.layer, found.kept, strict=True):
        text = to_text(NetParameter(layer=[layer]))
        parts.append(with_foreign(text, _of_layer(foreign, number)))
    return "".join(parts)


def _of_layer(foreign: Iterable[UnknownField], number: int | None) -> list[tuple[list[str], str]]:
    found = []
    for one in foreign:
        match = _LAYER.fullmatch(one.path)
        if match and number is not None and int(match[1]) == number:
            found.append((match[2].split("."), one.text))
    return found


def with_foreign(text: str, fields: Sequence[tuple[list[str], str]]) -> str:
    """Text of one layer with fields that Caffe lacks put back: each a path within the layer, and how it was
    written.
    """
    lines = text.splitlines()
    for path, written in fields:
        at, end = 0, len(lines) - 1
        blocks = [re.sub(r"\[\d+\]$", "", name) for name in path[:-1]]
        depth = 1
        for block in blocks:
            opening = next(
                (place for place in range(at + 1, end) if lines[place] == "  " * depth + f"{block} {{"), None
            )
            if opening is None:
                break
            at = opening
            end = next(place for place in range(at + 1, end + 1) if lines[place] == "  " * depth + "}")
            depth += 1
        missing = blocks[depth - 1 :]
        words = " ".join(written.split("\n")).rstrip(" ,;")
        inner = "".join(f"{block} {{ " for block in missing) + words + " }" * len(missing)
        lines.insert(end, "  " * depth + inner)
    return "".join(f"{line}\n" for line in lines)


def facts(found: Deployment, origin: Origin, steps: Mapping[str, Preprocessing]) -> dict[str, object]:
    """deploy.json."""

    def given(one: Given) -> dict[str, object]:
        step = steps.get(one.name)
        about: dict[str, object] = {"name": one.name, "shape": list(one.shape)}
        if one.is_part:
            about["part_of"] = one.of
        if step is not None:
            about |= {
                "type": step.type,
                "source": step.source,
                "resize": list(step.resize) if step.resize else None,
                "colour": step.colour or None,
                "crop_size": step.crop_size or None,
                "mean_value": list(step.mean_value),
                "mean_file": step.mean_file or None,
                "scale": step.scale,
            }
        return about

    return {
        "session": origin.session,
        "iteration": origin.iteration,
        "net": NET_FILE,
        "weights": origin.model,
        "made": origin.made,
        "inputs": [given(one) for one in found.inputs],
        "outputs": [
            {"name": one.name, "shape": list(one.shape) if one.shape is not None else None, "what": one.what}
            for one in found.outputs
        ],
        "left_out": found.notes,
        **origin.more,
    }


def facts_text(about: Mapping[str, object]) -> str:
    """As a file."""
    return json.dumps(about, indent=1, ensure_ascii=False) + "\n"


def readme(found: Deployment, origin: Origin, steps: Mapping[str, Preprocessing], checked: str) -> str:
    """README.md: what is here, what goes in, what comes out, how to use it."""
    lines = [f"# {_line(origin.session)}, iteration {origin.iteration}", ""]
    lines += [
        f"`{NET_FILE}` is the net, `{origin.model}` its weights, `{FACTS_FILE}` the same facts for programs.",
        "",
    ]
    for one in found.inputs:
        lines.append(
            f"- Input `{_line(one.name)}`, {shape_words(one.shape)}: {'; '.join(_expects(one, steps))}."
        )
    lines += [
        f"- Output `{_line(said.name)}`, {shape_words(said.shape)}: {_line(said.what)}."
        for said in found.outputs
    ]
    lines += [f"- {_line(note)[0].upper() + _line(note)[1:]}." for note in found.notes]
    lines += ["", checked, "", "With pycaffe:", ""]
    first, last = found.inputs[0], found.outputs[0]
    lines += [
        "    import caffe",
        f'    net = caffe.Net("{NET_FILE}", caffe.TEST, weights="{origin.model}")',
        f'    net.blobs["{_line(first.name)}"].data[...] = ...  # {shape_words(first.shape)}, as said above',
        f'    found = net.forward()["{_line(last.name)}"]',
    ]
    return "\n".join(lines) + "\n"
