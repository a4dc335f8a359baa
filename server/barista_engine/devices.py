"""Which device a run uses, and what `device_query` tells about them."""

from __future__ import annotations

import torch

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog


def parse_gpus(text: str) -> list[int]:
    """Device ids of a ``--gpu`` value: none for "", all that exist for "all". Raises CheckFailed."""
    if text == "all":
        _need_cuda()
        return list(range(torch.cuda.device_count()))
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise CheckFailed(
            f"Check failed: --gpu={text} is not a list of device ids", "caffe.cpp", 88
        ) from None


def open_device(gpus: list[int]) -> torch.device:
    """The torch device of these ids, the CPU for none. Raises CheckFailed where it cannot be had."""
    if not gpus:
        return torch.device("cpu")
    _need_cuda()
    if len(gpus) > 1:
        raise CheckFailed("Multi-GPU execution not available: give one device with --gpu", "caffe.cpp", 246)
    _check_exists(gpus[0])
    torch.cuda.set_device(gpus[0])
    # Caffe computes in float32 throughout; TF32 would make its results differ in the fourth digit.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda", gpus[0])


def gpu_name(gpu: int) -> str:
    """Name of a device, "" where it cannot be told."""
    return torch.cuda.get_device_name(gpu) if 0 <= gpu < torch.cuda.device_count() else ""


def device_query(text: str, log: Glog) -> None:
    """Log what is known of the devices named by a ``--gpu`` value. Raises CheckFailed."""
    log.info("caffe.cpp:138", f"Querying GPUs {text}")
    for gpu in parse_gpus(text):
        _need_cuda()
        _check_exists(gpu)
        found = torch.cuda.get_device_properties(gpu)
        for name, value in (
            ("Device id:", gpu),
            ("Major revision number:", found.major),
            ("Minor revision number:", found.minor),
            ("Name:", found.name),
            ("Total global memory:", found.total_memory),
            ("Warp size:", found.warp_size),
            ("Number of multiprocessors:", found.multi_processor_count),
        ):
            log.info("common.cpp:190", f"{name:<30}{value}")


def _need_cuda() -> None:
    if not torch.cuda.is_available():
        raise CheckFailed("Cannot use GPU in CPU-only Caffe: check mode.", "common.cpp", 66)


def _check_exists(gpu: int) -> None:
    if not 0 <= gpu < torch.cuda.device_count():
        message = f"Check failed: error == cudaSuccess (101 vs. 0)  invalid device ordinal {gpu}"
        raise CheckFailed(message, "common.cpp", 155)
