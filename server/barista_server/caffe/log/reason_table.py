"""The ways in which a caffe fails: what the text of each has in it, and what to do about it."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    MEMORY = "memory"
    DEVICE = "device"
    """The GPU, its driver or its libraries."""
    BUILD = "build"
    """This caffe was built without something that is needed."""
    FILE = "file"
    """A file is missing or cannot be read."""
    DATABASE = "database"
    SNAPSHOT = "snapshot"
    """Snapshots cannot be written."""
    RESUME = "resume"
    """A solver state does not fit."""
    WEIGHTS = "weights"
    """Weights do not fit the net."""
    SYNTAX = "syntax"
    """A prototxt cannot be parsed."""
    NET = "net"
    """Layers, blobs or their settings do not fit each other."""
    SOLVER = "solver"
    DATA = "data"
    """Records do not fit the net or its transformation."""
    USAGE = "usage"
    """The command line."""
    PYTHON = "python"
    SIGNAL = "signal"
    OTHER = "other"


SEE_LOG = "The log's last lines tell more."

VS = r"\((?P<found>[^()]{1,80}?) vs\. (?P<expected>[^()]{1,80}?)\)"
_SHAPES = (
    r"ource param shape is (?P<found>[^;]{0,200}); "
    r"target param shape is (?P<expected>[\d ()]{0,200})"
)
_IN_FILE = r"(?P<file>[^'\"]+?)['\"]?\.?(?:  Make sure.*| Make sure.*)?$"

TABLE: list[tuple[Kind, str, str]] = [
    # memory, devices, builds
    (Kind.MEMORY, r"out of memory", "Halve batch_size and double iter_size, or choose another device."),
    (
        Kind.MEMORY,
        r"host allocation of size (?P<found>\d+) failed|bad_alloc|MemoryError|Cannot allocate memory",
        "The host has too little memory: halve batch_size and double iter_size, or end what else runs there.",
    ),
    (
        Kind.NET,
        r"blob size exceeds INT_MAX",
        "A blob would have more than 2147483647 elements: halve batch_size and double iter_size.",
    ),
    (
        Kind.BUILD,
        r"no kernel image|invalid device function",
        "This caffe was not built for this GPU: choose another caffe or device.",
    ),
    (
        Kind.BUILD,
        r"Cannot use GPU in CPU-only",
        "Choose the device cpu, or a caffe that was built for GPUs.",
    ),
    (
        Kind.BUILD,
        r"Multi-GPU execution not available",
        "Choose one GPU, or a caffe that was built with NCCL.",
    ),
    (
        Kind.BUILD,
        r"requires OpenCV|requires hdf5|compiled (?:with|without) |WITH_PYTHON_LAYER",
        "This caffe was built without a library that the net needs: choose another caffe.",
    ),
    (
        Kind.BUILD,
        r"Not Implemented Yet|NOT_IMPLEMENTED",
        "This caffe cannot compute that on this device: choose another device, or change the layer.",
    ),
    (
        Kind.DEVICE,
        r"no CUDA-capable device|invalid device ordinal|driver version is insufficient",
        "There is no such GPU, or its driver does not fit: see which devices barista lists.",
    ),
    (
        Kind.DEVICE,
        r"cudaSuccess "
        + VS
        + r"|CUDNN_STATUS_SUCCESS "
        + VS.replace("found", "f2").replace("expected", "e2")
        + r"|CU(?:BLAS|RAND)_STATUS_|NCCL|ncclSuccess",
        "The GPU or its library refused: labels out of range and a full memory are the usual reasons.",
    ),
    # the snapshot and its folder, before files in general
    (
        Kind.SNAPSHOT,
        r"Cannot write to snapshot prefix '" + _IN_FILE,
        "Create the folder of snapshot_prefix, or make it writable.",
    ),
    (
        Kind.SNAPSHOT,
        r"SerializeToOstream|No space left|Couldn't open (?P<file>\S+) to save"
        r"|Error saving \w+ ?\w* to (?P<file2>\S+?)\.?$",
        "The disk is full or the folder is gone: make room, then start.",
    ),
    (
        Kind.SNAPSHOT,
        r"snapshot is specified but snapshot_prefix is not",
        "Add snapshot_prefix to the solver.",
    ),
    (
        Kind.RESUME,
        r"(?:history_size\(\)|history_size|history_\.size\(\)).*"
        + VS
        + r" *Incorrect length of history|Incorrect length of history",
        "The net has changed since: start a clone with these weights instead.",
    ),
    (
        Kind.RESUME,
        r"(?:Couldn't open solver state file|Error reading history from) (?P<file>\S+)",
        "The solver state is missing or damaged: go on from another snapshot.",
    ),
    # weights
    (
        Kind.WEIGHTS,
        r"Cannot copy param (?P<param>\d+) weights from layer '(?P<layer>[^']*)'; shape mismatch\.? +S"
        + _SHAPES,
        "Rename the layer to learn it anew, or undo its change of shape.",
    ),
    (
        Kind.WEIGHTS,
        r"Cannot copy param (?P<param>\d+) weights from layer '(?P<layer>[^']*)'|Cannot load blob from hdf5",
        "Rename the layer to learn it anew, or undo its change of shape.",
    ),
    (
        Kind.WEIGHTS,
        r"(?:" + VS + r" *)?Incompatible number of blobs for layer (?P<layer>\S+)",
        "Rename the layer to learn it anew, or give it the bias_term and type that the weights have.",
    ),
    (
        Kind.NET,
        r"Cannot share param '(?P<blob>[^']*)' owned by layer '[^']*' with layer '(?P<layer>[^']*)'"
        r"(?:.*?Owner layer param shape is (?P<expected>[^;]*);"
        r" sharing layer [a-z ]*shape (?:is )?(?P<found>[^;.]*))?",
        "Layers that share a param need equal shapes; share_mode: PERMISSIVE asks for equal counts only.",
    ),
    (
        Kind.NET,
        r"Shared param '(?P<blob>[^']*)' has mismatched",
        "Give lr_mult and decay_mult of a shared param in one of its layers only.",
    ),
    # wiring
    (
        Kind.NET,
        r"Unknown bottom blob '(?P<blob>[^']*)' \(layer '(?P<layer>[^']*)', bottom index (?P<param>\d+)\)",
        "Correct the bottom: no layer before this one has it as top.",
    ),
    (
        Kind.NET,
        r"Unknown (?:bottom blob|blob input) (?P<blob>\S+)",
        "Correct the bottom: no layer before this one has it as top.",
    ),
    (
        Kind.NET,
        r"Top blob '(?P<blob>[^']*)' produced by multiple sources|Duplicate blobs produced",
        "Give one of the two layers another top, or the same bottom where it works in place.",
    ),
    (
        Kind.NET,
        r"Unknown (?:layer type|layer name|V1LayerParameter layer type): (?P<found>\S+)",
        "Correct the type, or choose a caffe that has this layer.",
    ),
    (
        Kind.NET,
        r"(?:" + VS + r" *)?\b\w+ Layer (?:takes|produces) (?:at (?:least|most) )?\d+ (?:bottom|top) blob",
        "Give the layer as many bottoms and tops as its type takes.",
    ),
    (
        Kind.NET,
        r"(?:" + VS + r" *)?Number of labels must match",
        "Check the axes of prediction and label.",
    ),
    (
        Kind.NET,
        r"bottom\[0\]: (?P<expected>[\d ]*\(\d+\)),? (?:vs\. )?"
        r"bottom\[(?P<param>\d+)\]: (?P<found>[\d ]*\(\d+\))",
        "The bottoms of this layer must have equal shapes.",
    ),
    (
        Kind.NET,
        r"(?:"
        + VS
        + r" *)?(?:All inputs must have the same|Inputs must have the same|inputs must have the same count"
        r"|dimension mismatch|Input size incompatible|bottom count|output count must match|out-of-bounds"
        r"|multiples of group|must be divisible|evenly divide|top_k must be)",
        "The shapes that meet in this layer do not fit: see what barista check says about the net.",
    ),
    (
        Kind.NET,
        r"(?:num_output|kernel_size|Filter dimensions|Stride dimensions|axis) [\w' ]*"
        r"(?:positive|nonzero|zero|out of range)",
        "Correct the layer's settings.",
    ),
    (
        Kind.NET,
        r"Unknown filler name: (?P<found>\S+)",
        "Correct the filler: constant, gaussian, uniform, xavier, msra, positive_unitball, bilinear.",
    ),
    # solver and command line
    (
        Kind.SOLVER,
        r"Unknown learning rate policy: (?P<found>\S+)",
        "Correct lr_policy: fixed, step, exp, inv, multistep, poly, sigmoid.",
    ),
    (
        Kind.SOLVER,
        r"Unknown solver type: (?P<found>\S+)|Unknown SolverParameter solver_type",
        "Correct type: SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam.",
    ),
    (
        Kind.SOLVER,
        r"must specify a train net|fields specifying a train_net|Both net_param and net_file",
        "Name the net once: net, net_param, train_net or train_net_param.",
    ),
    (
        Kind.SOLVER,
        r"(?:" + VS + r" *)?(?:test_iter must be specified|test_state must be unspecified)",
        "Write test_iter once for each test net, and test_state once for each or not at all.",
    ),
    (
        Kind.SOLVER,
        r"Momentum cannot be used with (?P<found>\w+)|rms_decay should lie|average_loss should be"
        r"|stepsize|Failed to upgrade solver|test_interval",
        "Correct the solver's settings.",
    ),
    (
        Kind.USAGE,
        r"Need (?:a |model )|Give a snapshot to resume|Unknown action|Invalid signal effect|phase must be"
        r"|^ERROR: (?:unknown command|illegal value|flag)",
        "Correct the command line.",
    ),
    # files
    (
        Kind.SYNTAX,
        r"Failed to parse (?P<message>\w+) file: (?P<file>.+)",
        "Correct the prototxt; the line before this one in the log names the place.",
    ),
    (
        Kind.SYNTAX,
        r"Refusing to upgrade inconsistent NetParameter|Failed to upgrade",
        "Write the whole net with layer { }, or the whole with the old layers { }.",
    ),
    (
        Kind.FILE,
        r"File not found: (?P<file>.+)",
        "Correct the path in the prototxt; relative paths start in the session's folder.",
    ),
    (
        Kind.DATABASE,
        r"mdb_status == 0 \(2 ",
        "The database is not there: correct source, or convert the data again.",
    ),
    (
        Kind.DATABASE,
        r"mdb_status == 0 \(13",
        "The database cannot be opened: check who may read and write its folder.",
    ),
    (
        Kind.DATABASE,
        r"mdb_status == 0|MDB_[A-Z]+",
        "The database cannot be read: correct source, or convert the data again.",
    ),
    (
        Kind.DATABASE,
        r"Failed to open leveldb (?P<file>\S+)",
        "LevelDB is the default backend: for LMDB write backend: LMDB.",
    ),
    (Kind.DATABASE, r"Unknown (?:database )?backend", "Write backend: LMDB or backend: LEVELDB."),
    (
        Kind.FILE,
        r"(?:Failed opening HDF5 file|Failed to open (?:source|window|HDF5)? ?file|[Cc]ould not open file"
        r"|Could not open or find file|Couldn't open|Could not load)[: ]+(?P<file>.+)",
        "Correct the path; relative ones, those in lists too, start in the session's folder.",
    ),
    (
        Kind.DATA,
        r"Failed to find HDF5 dataset (?P<blob>\S+)"
        r"|Failed to (?:get|load) (?:float|int|dataset)[^/]* (?P<b2>\S+)$",
        "An HDF5 file needs one dataset for each top, of the same name.",
    ),
    # data
    (
        Kind.DATA,
        r"(?P<axis>height|width|rows|cols)\w*(?:\(\))? >= (?:\w+_)?crop\w* " + VS,
        "crop_size is larger than the images: make it smaller, or the images larger.",
    ),
    (
        Kind.DATA,
        r"channels\w*(?:\(\))? == [\w.]*mean[\w.()]* "
        + VS
        + r"|mean_values?_?\.size|Specify either 1 mean_value|mean_file and mean_value",
        "The mean does not fit the images: take one of their size and channels, or mean_value once.",
    ),
    (
        Kind.DATA,
        r"datum_(?:channels|height|width) .*" + VS + r"|Could not decode datum",
        "The records of the database differ in shape: convert the data again with one size.",
    ),
    # processes
    (
        Kind.SIGNAL,
        r"^SIGKILL$",
        "Nobody but the system kills without a word: out of memory is the usual reason.",
    ),
    (
        Kind.SIGNAL,
        r"^Rank \d+ of \d+ .{0,200}was killed by SIGKILL",
        "Out of memory is the usual reason: each process holds the whole net; take fewer.",
    ),
    (
        Kind.USAGE,
        r"--gpu=\S+ (?:is not a list|names )|--ranks=\d+ needs",
        "Choose devices that are there: 0, or 0,1, or all; each process needs a GPU of its own.",
    ),
    (Kind.SIGNAL, r"^SIGTERM$", "Somebody ended it from outside; start goes on from the newest snapshot."),
    (Kind.SIGNAL, r"^SIGSEGV$", "caffe itself crashed: the log may say where."),
    (Kind.SIGNAL, r"^SIGHUP$", "It was told to take a snapshot before it could: start it again."),
    (Kind.SIGNAL, r"^SIGBUS$", "Usually a full disk or a truncated database behind a memory map."),
    (Kind.SIGNAL, r"^SIG(?!NAL)[A-Z]+$", SEE_LOG),
    (
        Kind.SIGNAL,
        r"^KeyboardInterrupt",
        "Somebody ended it from outside; start goes on from the newest snapshot.",
    ),
    (
        Kind.PYTHON,
        r"^(?:ImportError|ModuleNotFoundError):.*?(?:named|from) '?(?P<blob>[\w.]+)",
        "Install this module for the Python that caffe was built with, or add its folder to PYTHONPATH.",
    ),
    (
        Kind.PYTHON,
        r"^Traceback \(|^[\w.]*(?:Error|Exception|Warning|Exit|Iteration)\b(?::|$)|error_already_set",
        "The Python code failed; the lines before tell how it came there.",
    ),
]
"""Kind, pattern and hint; the first pattern that is found decides. Groups: fields of a Reason."""
