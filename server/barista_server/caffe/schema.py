"""Caffe's messages under their own names: ``from barista_server.caffe.schema import NetParameter``.

The generated module is imported here and nowhere else.
"""

from barista_server.caffe.caffe_pb2 import (
    TEST,
    TRAIN,
    BlobProto,
    BlobShape,
    ConvolutionParameter,
    Datum,
    FillerParameter,
    LayerParameter,
    LossParameter,
    LRNParameter,
    NetParameter,
    NetState,
    NetStateRule,
    ParamSpec,
    Phase,
    PoolingParameter,
    SolverParameter,
    SolverState,
    TransformationParameter,
    V0LayerParameter,
    V1LayerParameter,
)

__all__ = [
    "TEST",
    "TRAIN",
    "BlobProto",
    "BlobShape",
    "ConvolutionParameter",
    "Datum",
    "FillerParameter",
    "LRNParameter",
    "LayerParameter",
    "LossParameter",
    "NetParameter",
    "NetState",
    "NetStateRule",
    "ParamSpec",
    "Phase",
    "PoolingParameter",
    "SolverParameter",
    "SolverState",
    "TransformationParameter",
    "V0LayerParameter",
    "V1LayerParameter",
]
