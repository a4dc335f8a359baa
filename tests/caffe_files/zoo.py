"""Well-known nets as prototxt, built from their papers: to compare shapes and memory with a real Caffe.

Data comes from DummyData, so that each net can be built anywhere. Layer names are our own.
"""

from collections.abc import Callable, Sequence


class Writer:
    """Puts layers one behind the other; every method adds one, or a few, and returns the top."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def layer(
        self, kind: str, name: str, bottoms: str | Sequence[str], settings: str = "", tops: Sequence[str] = ()
    ) -> str:
        bottoms = [bottoms] if isinstance(bottoms, str) else bottoms
        tops = tops or [name]
        blobs = [f'bottom: "{blob}"' for blob in bottoms] + [f'top: "{blob}"' for blob in tops]
        self.lines.append(f'layer {{ name: "{name}" type: "{kind}" {" ".join(blobs)} {settings} }}')
        return tops[0]

    def data(self, **tops: Sequence[int]) -> None:
        """DummyData with a top per shape."""
        shapes = "".join(f" shape {{ {dims(shape)} }}" for shape in tops.values())
        self.layer("DummyData", "data", [], f"dummy_data_param {{{shapes} }}", list(tops))

    def conv(
        self, name: str, bottom: str, outputs: int, kernel: int, more: str = "", relu: bool = True
    ) -> str:
        """Convolution and a ReLU in place."""
        settings = f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {more} }}"
        top = self.layer("Convolution", name, bottom, settings)
        return self.relu(top) if relu else top

    def relu(self, blob: str) -> str:
        return self.layer("ReLU", f"{blob}/relu", blob, tops=[blob])

    def pool(self, name: str, bottom: str, kernel: int, stride: int, more: str = "pool: MAX") -> str:
        settings = f"pooling_param {{ kernel_size: {kernel} stride: {stride} {more} }}"
        return self.layer("Pooling", name, bottom, settings)

    def norm(self, name: str, bottom: str) -> str:
        return self.layer("LRN", name, bottom, "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def full(self, name: str, bottom: str, outputs: int, more: str = "") -> str:
        return self.layer(
            "InnerProduct", name, bottom, f"inner_product_param {{ num_output: {outputs} {more} }}"
        )

    def hidden(self, name: str, bottom: str, outputs: int) -> str:
        """InnerProduct, ReLU and Dropout, the latter two in place."""
        top = self.relu(self.full(name, bottom, outputs))
        return self.layer("Dropout", f"{top}/drop", top, tops=[top])

    def judge(self, scores: str, more: str = "") -> None:
        """A loss, and in the test net the accuracy."""
        self.layer("Accuracy", "accuracy", [scores, "label"], "include { phase: TEST }")
        self.layer("SoftmaxWithLoss", "loss", [scores, "label"], more)


def dims(shape: Sequence[int]) -> str:
    return " ".join(f"dim: {dim}" for dim in shape)


def alexnet(batch: int = 256, normal_first: bool = True, classes: int = 1000) -> str:
    """Krizhevsky et al. 2012; with normal_first False pooling comes before normalization, as in CaffeNet."""
    net = Writer()
    net.data(data=(batch, 3, 227, 227), label=(batch,))
    blob = net.conv("conv1", "data", 96, 11, "stride: 4")
    for number, outputs in ((1, 256), (2, 384)):
        if normal_first:
            blob = net.pool(f"pool{number}", net.norm(f"norm{number}", blob), 3, 2)
        else:
            blob = net.norm(f"norm{number}", net.pool(f"pool{number}", blob, 3, 2))
        kernel, more = (5, "pad: 2 group: 2") if number == 1 else (3, "pad: 1")
        blob = net.conv(f"conv{number + 1}", blob, outputs, kernel, more)
    blob = net.conv("conv4", blob, 384, 3, "pad: 1 group: 2")
    blob = net.pool("pool5", net.conv("conv5", blob, 256, 3, "pad: 1 group: 2"), 3, 2)
    blob = net.hidden("fc7", net.hidden("fc6", blob, 4096), 4096)
    net.judge(net.full("fc8", blob, classes))
    return net.text


def caffenet() -> str:
    return alexnet(256, normal_first=False)


def rcnn() -> str:
    """Girshick et al. 2014: CaffeNet with a row of scores for 200 kinds of things."""
    return alexnet(10, normal_first=False, classes=200)


def _vgg_features(net: Writer, first_pad: int = 1) -> dict[str, str]:
    """The 13 convolutions of VGG16; returns the pooled blobs by name."""
    blob, pools = "data", {}
    for stage, (count, outputs) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for number in range(1, count + 1):
            pad = first_pad if (stage, number) == (1, 1) else 1
            blob = net.conv(f"conv{stage}_{number}", blob, outputs, 3, f"pad: {pad}")
        blob = pools[f"pool{stage}"] = net.pool(f"pool{stage}", blob, 2, 2)
    return pools


def vgg16(batch: int = 64) -> str:
    """Simonyan and Zisserman 2014."""
    net = Writer()
    net.data(data=(batch, 3, 224, 224), label=(batch,))
    blob = _vgg_features(net)["pool5"]
    net.judge(net.full("fc8", net.hidden("fc7", net.hidden("fc6", blob, 4096), 4096), 1000))
    return net.text


def fcn(stride: int) -> str:
    """Long et al. 2015: VGG16 made convolutional; stride 32, or 8 with scores of pool3 and pool4 added."""
    net = Writer()
    net.data(data=(1, 3, 375, 500), label=(1, 1, 375, 500))
    pools = _vgg_features(net, first_pad=100)
    blob = pools["pool5"]
    for name, kernel in (("fc6", 7), ("fc7", 1)):
        blob = net.conv(name, blob, 4096, kernel)
        net.layer("Dropout", f"{name}/drop", blob, tops=[blob])
    score = net.conv("score", blob, 21, 1, relu=False)
    if stride == 8:
        for pool, offset in (("pool4", 5), ("pool3", 9)):
            up = _enlarged(net, f"up_{pool}", score, 4, 2)
            side = net.conv(f"score_{pool}", pools[pool], 21, 1, relu=False)
            side = net.layer("Crop", f"crop_{pool}", [side, up], f"crop_param {{ axis: 2 offset: {offset} }}")
            score = net.layer("Eltwise", f"sum_{pool}", [up, side], "eltwise_param { operation: SUM }")
    score = _enlarged(net, "up", score, 2 * stride, stride)
    score = net.layer(
        "Crop", "crop", [score, "data"], f"crop_param {{ axis: 2 offset: {19 if stride == 32 else 31} }}"
    )
    net.judge(score, "loss_param { ignore_label: 255 normalize: false }")
    return net.text


def _enlarged(net: Writer, name: str, bottom: str, kernel: int, stride: int) -> str:
    more = f"num_output: 21 kernel_size: {kernel} stride: {stride} bias_term: false"
    return net.layer("Deconvolution", name, bottom, f"param {{ lr_mult: 0 }} convolution_param {{ {more} }}")


_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Outputs of 1x1; of 1x1 before and of 3x3; of 1x1 before and of 5x5; of 1x1 behind pooling."""


def googlenet(batch: int = 32) -> str:
    """Szegedy et al. 2014, with both side losses; the accuracies are of the test net."""
    net = Writer()
    net.data(data=(batch, 3, 224, 224), label=(batch,))
    blob = net.norm("norm1", net.pool("pool1", net.conv("conv1", "data", 64, 7, "pad: 3 stride: 2"), 3, 2))
    blob = net.conv("conv2", net.conv("conv2r", blob, 64, 1), 192, 3, "pad: 1")
    blob = net.pool("pool2", net.norm("norm2", blob), 3, 2)
    for name, sizes in _INCEPTIONS.items():
        blob = _inception(net, name, blob, sizes)
        if name in ("4a", "4d"):
            _side_loss(net, name, blob)
        if name in ("3b", "4e"):
            blob = net.pool(f"pool{name[0]}", blob, 3, 2)
    blob = net.pool("pool5", blob, 7, 1, "pool: AVE")
    blob = net.layer("Dropout", "drop", blob, tops=[blob])
    scores = net.full("scores", blob, 1000)
    net.layer("SoftmaxWithLoss", "loss", [scores, "label"])
    _accuracies(net, "", scores)
    return net.text


def _inception(net: Writer, name: str, bottom: str, sizes: tuple[int, ...]) -> str:
    one, before3, three, before5, five, behind = sizes
    parts = [
        net.conv(f"{name}/1x1", bottom, one, 1),
        net.conv(f"{name}/3x3", net.conv(f"{name}/3x3r", bottom, before3, 1), three, 3, "pad: 1"),
        net.conv(f"{name}/5x5", net.conv(f"{name}/5x5r", bottom, before5, 1), five, 5, "pad: 2"),
        net.conv(f"{name}/proj", net.pool(f"{name}/pool", bottom, 3, 1, "pool: MAX pad: 1"), behind, 1),
    ]
    return net.layer("Concat", f"{name}/out", parts)


def _side_loss(net: Writer, name: str, bottom: str) -> None:
    blob = net.conv(f"{name}/side", net.pool(f"{name}/ave", bottom, 5, 3, "pool: AVE"), 128, 1)
    blob = net.relu(net.full(f"{name}/fc", blob, 1024))
    blob = net.layer("Dropout", f"{name}/drop", blob, tops=[blob])
    scores = net.full(f"{name}/scores", blob, 1000)
    net.layer("SoftmaxWithLoss", f"{name}/loss", [scores, "label"], "loss_weight: 0.3")
    _accuracies(net, f"{name}/", scores)


def _accuracies(net: Writer, where: str, scores: str) -> None:
    for top in (1, 5):
        settings = f"include {{ phase: TEST }} accuracy_param {{ top_k: {top} }}"
        net.layer("Accuracy", f"{where}top{top}", [scores, "label"], settings)


def resnet50(batch: int = 16) -> str:
    """He et al. 2015; each normalization is a BatchNorm and a Scale, both in place."""
    net = Writer()
    net.data(data=(batch, 3, 224, 224), label=(batch,))
    blob = net.relu(_normalized(net, "conv1", "data", 64, 7, "pad: 3 stride: 2"))
    blob = net.pool("pool1", blob, 3, 2)
    for stage, (count, inner) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for number in range(count):
            blob = _residual(net, f"res{stage}{'abcdef'[number]}", blob, inner, stage > 2, number == 0)
    blob = net.pool("pool5", blob, 7, 1, "pool: AVE")
    net.judge(net.full("scores", blob, 1000))
    return net.text


def _residual(net: Writer, name: str, bottom: str, inner: int, halve: bool, first: bool) -> str:
    stride = f"stride: {2 if halve and first else 1}"
    beside = _normalized(net, f"{name}_1", bottom, 4 * inner, 1, stride) if first else bottom
    blob = net.relu(_normalized(net, f"{name}_2a", bottom, inner, 1, stride))
    blob = net.relu(_normalized(net, f"{name}_2b", blob, inner, 3, "pad: 1"))
    blob = _normalized(net, f"{name}_2c", blob, 4 * inner, 1, "")
    return net.relu(net.layer("Eltwise", name, [beside, blob]))


def _normalized(net: Writer, name: str, bottom: str, outputs: int, kernel: int, more: str) -> str:
    blob = net.conv(name, bottom, outputs, kernel, f"bias_term: false {more}", relu=False)
    net.layer("BatchNorm", f"{name}/bn", blob, tops=[blob])
    return net.layer("Scale", f"{name}/scale", blob, "scale_param { bias_term: true }", tops=[blob])


def captioner(kind: str = "LSTM", exposed: bool = False) -> str:
    """Donahue et al. 2015: words through an embedding and two recurrent layers, the second with an image.

    exposed: the first layer's states come in as bottoms and go out as tops.
    """
    net, steps, streams, words = Writer(), 20, 16, 8801
    net.data(words=(steps, streams), cont=(steps, streams), label=(steps, streams), image=(streams, 4096))
    embedded = f"embed_param {{ bias_term: false input_dim: {words} num_output: 1000 }}"
    blob = net.layer("Embed", "embedding", "words", embedded)
    bottoms, tops, settings = [blob, "cont"], ["first"], "num_output: 1000"
    if exposed:
        states = ["h", "c"][: 2 if kind == "LSTM" else 1]
        shapes = f"dummy_data_param {{ shape {{ {dims((1, streams, 1000))} }} }}"
        bottoms += [net.layer("DummyData", "states", [], shapes, states), *states[1:]]
        tops, settings = ["first", *(f"{state}_end" for state in states)], f"{settings} expose_hidden: true"
    blob = net.layer(kind, "first", bottoms, f"recurrent_param {{ {settings} }}", tops)
    blob = net.layer(kind, "second", [blob, "cont", "image"], "recurrent_param { num_output: 1000 }")
    net.judge(net.full("predict", blob, words, "axis: 2"), "softmax_param { axis: 2 }")
    net.lines[-2] = net.lines[-2].replace("include", "accuracy_param { axis: 2 } include")
    return net.text


def spp() -> str:
    """He et al. 2014: a spatial pyramid lets one net take images of any size."""
    net = Writer()
    net.data(data=(8, 3, 180, 256), label=(8,))
    blob = net.pool("pool1", net.norm("norm1", net.conv("conv1", "data", 96, 7, "stride: 2")), 3, 2)
    blob = net.pool("pool2", net.conv("conv2", blob, 256, 5, "stride: 2 pad: 1"), 3, 2, "pool: MAX pad: 1")
    blob = net.conv("conv3", blob, 256, 3, "pad: 1")
    blob = net.layer("SPP", "pyramid", blob, "spp_param { pyramid_height: 3 }")
    net.judge(net.full("fc7", net.hidden("fc6", blob, 4096), 1000))
    return net.text


def c3d() -> str:
    """Tran et al. 2015, without its pooling in three dimensions, which Caffe lacks: strides instead."""
    net = Writer()
    net.data(data=(10, 3, 16, 112, 112), label=(10,))
    blob = net.conv("conv1", "data", 64, 3, "pad: 1 stride: 1 stride: 2 stride: 2")
    for number, outputs in ((2, 128), (3, 256), (4, 512)):
        blob = net.conv(f"conv{number}", blob, outputs, 3, "pad: 2 stride: 2 dilation: 2")
    net.judge(net.full("scores", net.hidden("fc6", blob, 2048), 487))
    return net.text


ZOO: dict[str, Callable[[], str]] = {
    "alexnet": alexnet,
    "c3d": c3d,
    "caffenet": caffenet,
    "captioner": captioner,
    "captioner-exposed": lambda: captioner(exposed=True),
    "captioner-rnn": lambda: captioner("RNN", exposed=True),
    "fcn32s": lambda: fcn(32),
    "fcn8s": lambda: fcn(8),
    "googlenet": googlenet,
    "rcnn": rcnn,
    "resnet50": resnet50,
    "spp": spp,
    "vgg16": vgg16,
}
