"""What the checks of layers and solvers have to say about one field."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Fault(NamedTuple):
    """Something wrong with a field of a layer or solver, named by its dotted path.

    severity: error for what Caffe stops at; position: number of the value where the field has several.
    """

    field: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something Caffe would stop at (error) or that is hardly meant so (warning).

    file: as the session names it; line: 1-based, None if it concerns the file as a whole;
    hint: what to do, may be empty.
    """

    file: str
    line: int | None
    message: str
    hint: str = ""
    severity: Severity = "error"
