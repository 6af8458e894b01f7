"""Steps over a row of float32 in vector registers, written out where LLVM's own vectorizer does badly. Compiled, unchecked.

A row is taken in blocks of `LANES`, whatever the processor's registers hold; the last block is read with a mask, so that
nothing beyond the row is touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np import arrayobj

from carrel.kernels.compiled import extending
from carrel.kernels.records import PADDING, SYMBOLS_AT_ONCE

LANES = 16

POLYNOMIAL = (1.3276472e-3, 9.6755419e-3, 5.5507131e-2, 2.4022120e-1, 6.9314694e-1, 1.0000001)
"""2 ** x for x in [-0.5, 0.5], the highest power first."""
AHEAD = 512
"""How many items before they are wanted a row is asked for."""
LIMIT = 100.0
ROUNDER = 1.5 * 2**23 + 127
"""Added to a float32 of at most `LIMIT`, it leaves the nearest whole number, plus 127, in the low bits of the sum."""
FUSE = ("contract",)
_float, _int32, _size = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_floats, _int32s = ir.VectorType(_float, LANES), ir.VectorType(_int32, LANES)
_doubles, _sizes = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(_size, LANES)


@extending.intrinsic
def powers_of(_context: Any, row: Any, scale: Any, offset: Any, powers: Any) -> Any:
    """Fill ``powers`` with ``2 ** (row * scale - offset)`` and return their sum.

    ``powers`` has room for a multiple of `LANES`; behind the row there are 2 ** -`LIMIT` then. Exponents are clipped to
    `LIMIT` either way, NaN stays NaN; relative error under 1e-6.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, powers = (_memory_of(context, builder, signature, arguments, i) for i in (0, 3))
        steps = _splat(builder, arguments[1]), _splat(builder, arguments[2])
        return _summed(builder, row, powers[0], lambda block: _power_of(builder, block, *steps))

    return types.float32(row, types.float32, types.float32, powers), generate


@extending.intrinsic
def copy_of(_context: Any, row: Any, copy: Any) -> Any:
    """Fill ``copy`` as `powers_of` does, with the row itself, NaN for what is below 0; return the sum."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, copy = (_memory_of(context, builder, signature, arguments, i) for i in (0, 1))

        def checked(block: Any) -> Any:
            below = builder.fcmp_ordered("<", block, _constant(0.0))
            return builder.select(below, _constant(float("nan")), block)

        return _summed(builder, row, copy[0], checked, 0.0)

    return types.float32(row, copy), generate


@extending.intrinsic
def reaching_bits(_context: Any, values: Any, place: Any, level: Any) -> Any:
    """Return which of the `PADDING` values from ``place`` on are at least ``level``: the bits of an integer, lowest first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory, _ = _memory_of(context, builder, signature, arguments, 0)
        kind = ir.VectorType(memory.type.pointee, PADDING)
        block = builder.load(_block_at(builder, memory, arguments[1], kind), align=4)
        reached = builder.fcmp_ordered(">=", block, _splat(builder, arguments[2], PADDING))
        return builder.bitcast(reached, ir.IntType(PADDING))

    return types.int64(values, types.int64, values.dtype), generate


@extending.intrinsic
def count_reaching(_context: Any, values: Any, count: Any, level: Any) -> Any:
    """Return how many of the first ``count`` float64 are at least ``level``; there is memory for a multiple of `LANES`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory, _ = _memory_of(context, builder, signature, arguments, 0)
        total = cgutils.alloca_once_value(builder, _size(0))
        least = _splat(builder, arguments[2])
        with cgutils.for_range_slice(builder, _size(0), arguments[1], _size(LANES), _size) as (place, _):
            block = builder.load(_block_at(builder, memory, place, _doubles), align=8)
            used = _first(builder, builder.sub(arguments[1], place))
            reached = builder.and_(builder.fcmp_ordered(">=", block, least), used)
            bits = builder.zext(builder.bitcast(reached, ir.IntType(LANES)), _size)
            builder.store(builder.add(builder.load(total), builder.ctpop(bits)), total)
        return builder.load(total)

    return types.int64(values, types.int64, types.float64), generate


@extending.intrinsic
def find_symbol(_context: Any, symbols: Any, first: Any, end: Any, symbol: Any) -> Any:
    """Place of a byte in ``symbols[first:end]``, -1 if it is not there; there is memory for `SYMBOLS_AT_ONCE` more."""
    byte, bits = ir.IntType(8), ir.IntType(SYMBOLS_AT_ONCE)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory, _ = _memory_of(context, builder, signature, arguments, 0)
        wanted = _splat(builder, builder.trunc(arguments[3], byte), SYMBOLS_AT_ONCE)
        found = cgutils.alloca_once_value(builder, _size(-1))
        step = _size(SYMBOLS_AT_ONCE)
        with cgutils.for_range_slice(builder, arguments[1], arguments[2], step, _size) as (place, _):
            block = builder.load(_block_at(builder, memory, place, wanted.type), align=1)
            same = builder.zext(builder.bitcast(builder.icmp_unsigned("==", block, wanted), bits), _size)
            at = builder.add(place, builder.cttz(same, ir.Constant(ir.IntType(1), 0)))
            inside = builder.icmp_signed("<", at, arguments[2])
            with builder.if_then(builder.and_(inside, builder.icmp_unsigned("!=", same, _size(0)))):
                builder.store(at, found)
        return builder.load(found)

    return types.int64(symbols, types.int64, types.int64, types.int64), generate


@extending.intrinsic
def prefetch(_context: Any, array: Any, place: Any) -> Any:
    """Return have an item of an array brought near that is wanted soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory, _ = _memory_of(context, builder, signature, arguments, 0)
        _bring_near(builder, builder.gep(memory, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@extending.intrinsic
def lowest_bit(_context: Any, bits: Any) -> Any:
    """Place of the lowest bit that is set, of an integer other than 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


def _summed(
    builder: Any, row: tuple[Any, Any], target: Any, change: Callable[[Any], Any], beyond: float = -math.inf
) -> Any:
    """Write the changed blocks of a row to ``target``, as if the row went on with ``beyond``, and return their sum."""
    values, length = row
    total = cgutils.alloca_once_value(builder, _constant(0.0))

    def add(place: Any, block: Any) -> None:
        changed = change(block)
        builder.store(changed, _block_at(builder, target, place), align=4)
        builder.store(builder.fadd(builder.load(total), changed), total)

    rest = builder.urem(length, _size(LANES))
    whole = builder.sub(length, rest)
    with cgutils.for_range_slice(builder, _size(0), whole, _size(LANES), _size) as (place, _):
        _bring_near(builder, builder.gep(values, [builder.add(place, _size(AHEAD))]))
        add(place, builder.load(_block_at(builder, values, place), align=4))
    with builder.if_then(builder.icmp_unsigned("!=", rest, _size(0))):
        add(whole, _load_first(builder, _block_at(builder, values, whole), rest, beyond))
    return _sum_of(builder, builder.load(total))


def _bring_near(builder: Any, pointer: Any) -> None:
    """Ask for what lies there, if anything does."""
    bytes_at = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [bytes_at.type, *[_int32] * 3])
    ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(ask, [bytes_at, _int32(0), _int32(3), _int32(1)])


def _memory_of(context: Any, builder: Any, signature: Any, arguments: Any, i: int) -> tuple[Any, Any]:
    """Where an array's items lie, and how many there are."""
    array = arrayobj.make_array(signature.args[i])(context, builder, arguments[i])
    return array.data, array.nitems


def _block_at(builder: Any, memory: Any, place: Any, kind: Any = _floats) -> Any:
    return builder.bitcast(builder.gep(memory, [place]), kind.as_pointer())


def _constant(value: float) -> Any:
    return ir.Constant(_floats, [value] * LANES)


def _splat(builder: Any, value: Any, lanes: int = LANES) -> Any:
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined), value, _int32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_int32, lanes), [0] * lanes))


def _first(builder: Any, count: Any) -> Any:
    """True for the first ``count`` lanes."""
    return builder.icmp_signed("<", ir.Constant(_sizes, list(range(LANES))), _splat(builder, count))


def _load_first(builder: Any, pointer: Any, count: Any, beyond: float) -> Any:
    """The first ``count`` items at a place, ``beyond`` behind them."""
    mask = _first(builder, count)
    kind = ir.FunctionType(_floats, [pointer.type, _int32, mask.type, _floats])
    load = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
    return builder.call(load, [pointer, _int32(4), mask, _constant(beyond)])


def _power_of(builder: Any, block: Any, scale: Any, offset: Any) -> Any:
    exponent = builder.fsub(builder.fmul(block, scale, flags=FUSE), offset, flags=FUSE)
    for sign, limit in (("<", -LIMIT), (">", LIMIT)):  # NaN compares as false and stays
        beyond = builder.fcmp_ordered(sign, exponent, _constant(limit))
        exponent = builder.select(beyond, _constant(limit), exponent)
    rounded = builder.fadd(exponent, _constant(ROUNDER))
    fraction = builder.fsub(exponent, builder.fsub(rounded, _constant(ROUNDER)))
    bits = builder.shl(builder.bitcast(rounded, _int32s), ir.Constant(_int32s, [23] * LANES))
    return builder.fmul(_polynomial(builder, fraction, POLYNOMIAL), builder.bitcast(bits, _floats))


def _polynomial(builder: Any, x: Any, factors: Sequence[float]) -> Any:
    value = _constant(factors[0])
    for factor in factors[1:]:
        value = builder.fadd(builder.fmul(value, x, flags=FUSE), _constant(factor), flags=FUSE)
    return value


def _sum_of(builder: Any, values: Any) -> Any:
    """Halves added until one is left."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        half = ir.VectorType(_int32, lanes)
        parts = [ir.Constant(half, list(range(first, first + lanes))) for first in (0, lanes)]
        low, high = (builder.shuffle_vector(values, values, part) for part in parts)
        values = builder.fadd(low, high)
    return builder.extract_element(values, _int32(0))
