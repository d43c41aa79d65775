"""Splits the energy of one device in one interval among those who used it, to the microjoule.

    microjoules + baseline + who used the CPU (or held the GPU) ─► Split
    E = base + other + overhead + sum over tasks, exactly

Integers throughout: microjoules, microwatts and nanoseconds in, microjoules out. Each figure is
rounded down from its exact share and leftovers go to the largest remainders, so nothing is lost,
and no order of the tasks is favoured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Microwatts times nanoseconds per microjoule.
_UW_NS_PER_UJ = 1_000_000_000
#: A share in parts per million.
PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class TaskUse:
    """What one task did in one interval."""

    #: Unique on the host, such as a lease id.
    key: str
    #: CPU time of the task's own thread in the interval, nanoseconds.
    cpu_ns: int
    #: Part of the interval in which the task ran, nanoseconds of wall time.
    overlap_ns: int
    slots: int = 1
    #: Devices that it held, such as ``gpu:GPU-3f2a``.
    gpus: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if min(self.cpu_ns, self.overlap_ns) < 0 or self.slots < 1:
            raise ValueError(f"times are >= 0 and slots >= 1; got {self}")


@dataclass(frozen=True, slots=True)
class HostUse:
    """What one host did in one interval; several workers on it are one host."""

    #: Wall time, nanoseconds.
    duration_ns: int
    #: CPU time of all programs, nanoseconds summed over CPUs.
    busy_ns: int
    #: CPU time of the workers and all that they started, nanoseconds.
    worker_ns: int
    #: CPU time of the worker's known own threads (event loop, sampler), nanoseconds.
    service_ns: int
    tasks: tuple[TaskUse, ...] = ()

    def __post_init__(self) -> None:
        if min(self.duration_ns, self.busy_ns, self.worker_ns, self.service_ns) < 0:
            raise ValueError(f"times are >= 0; got {self}")
        if len({task.key for task in self.tasks}) < len(self.tasks):
            raise ValueError("a task appears twice in one interval; add its uses up first")


@dataclass(frozen=True, slots=True)
class Split:
    """Who used the energy of one device in one interval, in microjoules."""

    device: str
    total_uj: int
    #: What the machine draws when it does nothing.
    base_uj: int
    #: The owner's own programs; never billed to anybody.
    other_uj: int
    #: The worker's own threads, and worker time that no task can be named for.
    overhead_uj: int
    task_uj: Mapping[str, int]
    #: The device was taken to be the worker's alone, as nothing told who else used it.
    assumed_exclusive: bool = False

    def __post_init__(self) -> None:
        parts = (self.base_uj, self.other_uj, self.overhead_uj, *self.task_uj.values())
        if min(parts) < 0 or sum(parts) != self.total_uj:
            raise ValueError(f"parts are >= 0 and make up the total; got {self}")

    @property
    def residual_uj(self) -> int:
        """Total less parts; zero, always."""
        parts = self.base_uj + self.other_uj + self.overhead_uj + sum(self.task_uj.values())
        return self.total_uj - parts


def split_by_cpu(device: str, energy_uj: int, baseline_uw: int, use: HostUse) -> Split:
    """Split the energy of CPU or memory by CPU time.

    Parameters
    ----------
    device : str
        Such as ``cpu:0``.
    energy_uj : int
        What its meter counted in the interval.
    baseline_uw : int
        Its power when the host is idle, microwatts.
    use : HostUse
        CPU times in the interval.

    Notes
    -----
    CPU time of the worker that neither a task's thread nor a service thread accounts for is of
    native threads (BLAS, OpenMP): it is split by how long each task ran in the interval.
    """
    base_uj = _base_uj(energy_uj, baseline_uw, use.duration_ns)
    dynamic_uj = energy_uj - base_uj
    worker_ns = min(use.worker_ns, use.busy_ns)
    own_uj = dynamic_uj * worker_ns // use.busy_ns if use.busy_ns else 0
    weights, service = _cpu_weights(worker_ns, use)
    all_weights = sum(weights.values())
    tasks_uj = own_uj * all_weights // (all_weights + service) if all_weights else 0
    return Split(
        device,
        energy_uj,
        base_uj,
        dynamic_uj - own_uj,
        own_uj - tasks_uj,
        apportion(tasks_uj, weights),
    )


def split_by_holder(
    device: str, energy_uj: int, baseline_uw: int, use: HostUse, own_ppm: int | None = None
) -> Split:
    """Split the energy of a GPU among the tasks that held it, by how long they did.

    ``own_ppm`` is the worker's share of the device's use in parts per million, where the driver
    tells it per process; None takes the device to be the worker's alone, and says so.
    """
    if own_ppm is not None and not 0 <= own_ppm <= PPM:
        raise ValueError(f"own_ppm is 0 to {PPM}; got {own_ppm}")
    base_uj = _base_uj(energy_uj, baseline_uw, use.duration_ns)
    dynamic_uj = energy_uj - base_uj
    weights = {it.key: it.overlap_ns for it in use.tasks if device in it.gpus and it.overlap_ns}
    # A GPU that works while no task holds it works for its owner.
    own_uj = dynamic_uj * (PPM if own_ppm is None else own_ppm) // PPM if weights else 0
    return Split(
        device,
        energy_uj,
        base_uj,
        dynamic_uj - own_uj,
        0,
        apportion(own_uj, weights),
        assumed_exclusive=own_ppm is None and bool(weights),
    )


def apportion(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide a whole number in proportion to weights, by largest remainder.

    Equal weights get the same to 1; equal remainders go by key, not by order. Without any weight
    all get 0, which only a total of 0 allows.

    Raises
    ------
    ValueError
        There is something to divide and nobody to have it, or a weight is negative.
    """
    all_weights = sum(weights.values())
    if min(weights.values(), default=0) < 0 or (total and not all_weights):
        raise ValueError(f"cannot divide {total} by the weights {dict(weights)}")
    if not total:
        return dict.fromkeys(weights, 0)
    shares = {key: total * weight // all_weights for key, weight in weights.items()}
    left = total - sum(shares.values())
    for key in sorted(weights, key=lambda it: (-(total * weights[it] % all_weights), it))[:left]:
        shares[key] += 1
    return shares


def _base_uj(energy_uj: int, baseline_uw: int, duration_ns: int) -> int:
    if min(energy_uj, baseline_uw) < 0:
        raise ValueError(f"energy and baseline are >= 0; got {energy_uj} uJ, {baseline_uw} uW")
    base_uj = (baseline_uw * duration_ns + _UW_NS_PER_UJ // 2) // _UW_NS_PER_UJ
    return min(energy_uj, base_uj)


def _cpu_weights(worker_ns: int, use: HostUse) -> tuple[dict[str, int], int]:
    """Weights of tasks and of services, all scaled by the sum of overlaps to stay whole."""
    native_ns = max(0, worker_ns - sum(it.cpu_ns for it in use.tasks) - use.service_ns)
    overlap_ns = sum(it.overlap_ns for it in use.tasks)
    if not overlap_ns:
        # Nobody ran whom native threads could have worked for.
        return {it.key: it.cpu_ns for it in use.tasks}, use.service_ns + native_ns
    weights = {it.key: it.cpu_ns * overlap_ns + native_ns * it.overlap_ns for it in use.tasks}
    return weights, use.service_ns * overlap_ns
