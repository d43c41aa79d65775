"""How two answers to one task differ, in words for the recruiter who has to do something about it.

two decoded values ──describe_difference──► "at result['x']: element (3, 4) is 1.0 here ..., ..."
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from eco_dask.text import clean

#: Nested containers looked into.
_DEPTH_MAX = 50
_CHARS_MAX = 120
#: Share of an array's elements that random numbers, but not rounding, make differ ...
_MANY = 0.5
#: ... by so much of the norm.
_FAR = 0.1
#: A stamp of the present lies between these years' starts, as seconds of Unix time.
_STAMPS_S = (1.5e9, 4.1e9)
_TIMES = frozenset({"date", "datetime", "time", "timedelta", "Timestamp", "Timedelta"})
#: What a recruiter can do about answers that differ.
WAYS_OUT = (
    'compare with compare="close" if only last bits differ, seed every random generator by the '
    "task's own input, or run it with trusted=True or quorum=1"
)


def describe_difference(a: Any, b: Any) -> str:
    """Say where two values differ first, how far they lie apart and what may be the cause.

    Parameters
    ----------
    a, b : object
        Decoded values; text in them is a stranger's and is cleaned.

    Returns
    -------
    str
        Place, both sides, the norm of the difference for arrays of numbers, a hint at the cause,
        and the ways out; or that nothing differs.
    """
    found = next(_differences(a, b, "result", 0), "")
    if not found:
        return "the answers do not differ in anything that can be shown"
    hint = _hint(a, b)
    return f"{found}{f'; {hint}' if hint else ''}; {WAYS_OUT}"


def _differences(a: Any, b: Any, at: str, depth: int) -> Iterator[str]:
    """Yield descriptions, first place first."""
    if type(a) is not type(b):
        yield f"at {at}: {_show(a)} of type {type(a).__name__} here, {type(b).__name__} there"
    elif _array(a) is not None:
        yield from _array_differences(_array(a), _array(b), at)
    elif isinstance(a, Mapping) and depth < _DEPTH_MAX:
        yield from _mapping_differences(a, b, at, depth)
    elif isinstance(a, list | tuple) and depth < _DEPTH_MAX:
        if len(a) != len(b):
            yield f"at {at}: {len(a)} items here, {len(b)} there"
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from _differences(x, y, f"{at}[{i}]", depth + 1)
    elif isinstance(a, AbstractSet):
        if a != b:
            yield f"at {at}: {_show(a - b)} only here, {_show(b - a)} only there"
    elif _columns(a) is not None:
        yield from _mapping_differences(_columns(a) or {}, _columns(b) or {}, at, depth)
    elif not _equal(a, b):
        yield f"at {at}: {_show(a)} here, {_show(b)} there"


def _mapping_differences(
    a: Mapping[Any, Any], b: Mapping[Any, Any], at: str, depth: int
) -> Iterator[str]:
    if a.keys() != b.keys():
        only = [k for k in a if k not in b], [k for k in b if k not in a]
        yield f"at {at}: keys {_show(only[0])} only here, {_show(only[1])} only there"
    elif list(a) != list(b):
        yield f"at {at}: the same keys in another order, {_show(list(a))} and {_show(list(b))}"
    for key in a:
        if key in b:
            yield from _differences(a[key], b[key], f"{at}[{_show(key)}]", depth + 1)


def _array_differences(a: Any, b: Any, at: str) -> Iterator[str]:
    if a.dtype != b.dtype or a.shape != b.shape:
        yield f"at {at}: {a.dtype} of shape {a.shape} here, {b.dtype} of shape {b.shape} there"
        return
    unequal = _unequal(a, b)
    if not unequal.any():
        return
    place = tuple(int(i) for i in np.argwhere(unequal)[0])
    where = f"element {place[0] if len(place) == 1 else place}" if place else "the number"
    yield (
        f"at {at}, {a.dtype} of shape {a.shape}: {where} is {_show(a[place])} here, "
        f"{_show(b[place])} there; {int(unequal.sum())} of {a.size} differ{_distance(a, b)}"
    )


def _unequal(a: Any, b: Any) -> Any:
    unequal = np.asarray(a != b)
    if a.dtype.kind in "fcmM":
        unequal &= ~((a != a) & (b != b))  # noqa: PLR0124  NaN and NaT differ from themselves
    return unequal


def _distance(a: Any, b: Any) -> str:
    relative = _relative_norm(a, b)
    return "" if relative is None else f"; norm of the difference over the norm {relative:.2g}"


def _relative_norm(a: Any, b: Any) -> float | None:
    if a.dtype.kind not in "iufc" or a.shape != b.shape or not a.size:
        return None
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    x, y = (np.nan_to_num(v.astype(wide).ravel(), posinf=0.0, neginf=0.0) for v in (a, b))
    largest = max(float(np.abs(x).max()), float(np.abs(y).max()))
    if not largest:
        return 0.0
    x, y = x / largest, y / largest
    norm = max(float(np.linalg.norm(x)), float(np.linalg.norm(y)))
    return float(np.linalg.norm(x - y)) / norm


def _hint(a: Any, b: Any) -> str:
    """Guess at the cause from the first leaf that differs, or the order of all of them."""
    pair = _first_leaf(a, b, 0)
    if pair is None:
        return ""
    x, y = pair
    if isinstance(x, list | tuple) and _same_members(x, y):
        return "the same items in another order: sets and directories have none, so sort them"
    if _is_time(x) and _is_time(y):
        return "these look like times: pass the time in instead of asking the clock in the task"
    x, y = np.asarray(x), np.asarray(y)
    relative = _relative_norm(x, y) if x.dtype == y.dtype else None
    if relative is None:
        return ""
    if x.ndim and x.size > 1 and np.array_equal(np.sort(x, axis=None), np.sort(y, axis=None)):
        return "the same numbers in another order: sets and directories have none, so sort them"
    if relative > _FAR and _unequal(x, y).mean() > _MANY:
        return "most numbers differ by much, which looks like an unseeded random generator"
    return "only last bits differ, as between processors" if relative < 1e-5 else ""  # noqa: PLR2004  far above rounding in single precision


def _first_leaf(a: Any, b: Any, depth: int) -> tuple[Any, Any] | None:
    """Return the innermost two that differ and can be guessed at."""
    if type(a) is not type(b) or depth > _DEPTH_MAX:
        return None
    if _array(a) is not None:
        x, y = _array(a), _array(b)
        return (x, y) if x.shape == y.shape and _unequal(x, y).any() else None
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return None
        if len(a) > 1 and a != b and _same_members(a, b):
            return a, b
        pairs: Iterator[tuple[Any, Any]] = zip(a, b, strict=True)
    elif isinstance(a, Mapping) or _columns(a) is not None:
        x, y = (v if isinstance(v, Mapping) else _columns(v) or {} for v in (a, b))
        pairs = ((x[k], y[k]) for k in x if k in y)
    else:
        return None if _equal(a, b) else (a, b)
    leaves = (_first_leaf(x, y, depth + 1) for x, y in pairs)
    return next((leaf for leaf in leaves if leaf is not None), None)


def _same_members(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return sorted(map(repr, a)) == sorted(map(repr, b))


def _is_time(value: Any) -> bool:
    if type(value).__name__ in _TIMES:
        return True
    array = np.asarray(value)
    if array.dtype.kind == "M":
        return True
    return (
        array.dtype.kind in "iuf"
        and array.ndim == 0
        and any(_STAMPS_S[0] * unit < float(array) < _STAMPS_S[1] * unit for unit in (1, 1e3, 1e9))
    )


def _array(value: Any) -> Any:
    """Return numbers as a numpy array, None for what holds none."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if not (hasattr(value, "dtype") and hasattr(value, "to_numpy")):
        return None
    return np.asarray(value.to_numpy())  # a Series or an Index of pandas, a DataArray


def _columns(value: Any) -> dict[Any, Any] | None:
    """Return the parts of a table or a labelled array by name."""
    if hasattr(value, "columns") and hasattr(value, "index"):
        names = list(value.columns)
        return {"index": value.index, **{n: value.iloc[:, i] for i, n in enumerate(names)}}
    if hasattr(value, "data_vars"):
        return {name: np.asarray(value[name].data) for name in value.variables}
    return None


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b) or (a != a and b != b)  # noqa: PLR0124  NaN differs from itself
    except (TypeError, ValueError):
        return repr(a) == repr(b)


def _show(value: Any) -> str:
    return clean(str(value) if isinstance(value, np.generic) else repr(value), _CHARS_MAX)
