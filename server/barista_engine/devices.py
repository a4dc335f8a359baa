"""Which devices a run uses, and what `device_query` tells about them. Loads torch only to look at GPUs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.launch import Place

if TYPE_CHECKING:
    import torch

_ID = re.compile(r"[+-]?[0-9]{1,9}")


def parse_gpus(text: str) -> list[int]:
    """Device ids of a ``--gpu`` value: none for "", all that exist for "all". Raises CheckFailed."""
    if text == "all":
        _need_cuda()
        import torch

        return list(range(torch.cuda.device_count()))
    parts = [part.strip() for part in text.split(",")] if text else []
    for part in parts:
        if not _ID.fullmatch(part):
            found = f"'{part}' is no number" if part else "an id is missing"
            message = f"--gpu={text} is not a list of device ids: {found} (0, or 0,1, or all)"
            raise CheckFailed(f"Check failed: {message}", "caffe.cpp", 88)
    ids = [int(part) for part in parts]
    if twice := [gpu for index, gpu in enumerate(ids) if gpu in ids[:index]]:
        message = f"--gpu={text} names GPU {twice[0]} twice: each process needs one of its own"
        raise CheckFailed(f"Check failed: {message}", "caffe.cpp", 88)
    return ids


def check_gpus(gpus: list[int]) -> None:
    """Raise CheckFailed unless all of them can be had."""
    if gpus:
        _need_cuda()
    for gpu in gpus:
        _check_exists(gpu)


def open_device(gpu: int | None) -> torch.device:
    """The torch device of an id, the CPU for None. Raises CheckFailed where it cannot be had."""
    import torch

    if gpu is None:
        return torch.device("cpu")
    check_gpus([gpu])
    torch.cuda.set_device(gpu)
    # Caffe computes in float32 throughout; TF32 would make its results differ in the fourth digit.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda", gpu)


def gpu_of_rank(place: Place, text: str, first: int) -> int:
    """The GPU of one of the processes on a machine, by ``--gpu``, or from `first` on. Raises CheckFailed."""
    gpus = parse_gpus(text) if text else list(range(first, first + place.local_count))
    if len(gpus) < place.local_count:
        message = f"--gpu={text} names {len(gpus)} GPUs for {place.local_count} processes on this machine"
        raise CheckFailed(f"Check failed: {message}", "caffe.cpp", 88)
    return gpus[place.local_rank]


def gpu_name(gpu: int) -> str:
    """Name of a device, "" where it cannot be told."""
    import torch

    return torch.cuda.get_device_name(gpu) if 0 <= gpu < torch.cuda.device_count() else ""


def device_query(text: str, log: Glog) -> None:
    """Log what is known of the devices named by a ``--gpu`` value. Raises CheckFailed."""
    log.info("caffe.cpp:138", f"Querying GPUs {text}")
    for gpu in parse_gpus(text):
        check_gpus([gpu])
        import torch

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
    import torch

    if torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        why = f"torch {torch.__version__} was built without CUDA: install a build with it"
    else:
        why = "torch finds no GPU: see what nvidia-smi and CUDA_VISIBLE_DEVICES say"
    advice = f"{why}, or leave --gpu away and write solver_mode: CPU"
    raise CheckFailed("Cannot use GPU in CPU-only Caffe: check mode.", "common.cpp", 66, advice)


def _check_exists(gpu: int) -> None:
    import torch

    count = torch.cuda.device_count()
    if not 0 <= gpu < count:
        have = f"GPU {gpu} of {count}; ids go from 0 to {count - 1}"
        message = f"Check failed: error == cudaSuccess (101 vs. 0)  invalid device ordinal ({have})"
        raise CheckFailed(message, "common.cpp", 155)
