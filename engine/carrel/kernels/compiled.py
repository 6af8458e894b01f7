"""Compilation of kernels: by numba, to machine code for this processor. Importing this loads numba."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

import llvmlite.binding as llvm
import numba as _numba
from numba import extending as _extending
from numba import types
from numba.core import cgutils, config
from numba.core.registry import cpu_target
from numba.core.typing.ctypes_utils import from_ctypes
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

from carrel.kernels.native import Kernel, writable_folder
from carrel.kernels.records import ENTRIES, SIDES, Table, tables_of

P = ParamSpec("P")
R = TypeVar("R")
numba: Any = _numba
extending: Any = _extending
_settings: Any = config
_target: Any = cpu_target
_ENTRY = {"error_model": "numpy", "_nrt": False}


def inner(function: Callable[P, R] | None = None, **settings: Any) -> Any:
    """Compile a function for use by kernels only: inlined, and free to pass arrays around without counting references.

    Such a function can make no arrays, return none, and not be called from Python; so kernels need nothing of numba's
    at run time. It also saves time: numba counts references with locked instructions wherever an array is taken out of
    a tuple or sliced. ``settings`` are further ones of ``numba.njit``, such as ``fastmath={"reassoc"}``.
    """
    if function is None:
        return partial(inner, **settings)
    return numba.njit(**{"error_model": "numpy", "forceinline": True, "_nrt": False, **settings})(function)


@extending.intrinsic
def array_at(_context: Any, address: Any, shape: Any, dtype: Any) -> Any:
    """Return the C-ordered array of a shape (a tuple) and type at an address."""
    array = types.Array(dtype.dtype, shape.count, "C")

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        shape = cgutils.unpack_tuple(builder, arguments[1], array.ndim)
        return _array_of(context, builder, array, arguments[0], shape)

    return array(types.int64, shape, dtype), generate


@extending.intrinsic
def arrays_at(_context: Any, addresses: Any, sizes: Any, kind: Any) -> Any:
    """Return the C-ordered arrays of a list such as `carrel.kernels.records.Workspace`, as one.

    At ``addresses`` lie their addresses, int64 in the list's order; at ``sizes`` the sizes of `SIDES`.
    """
    tables = tables_of(kind.instance_class)
    arrays = [types.Array(from_dtype(table.dtype), len(table.sides), "C") for table in tables]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = context.get_value_type(types.int64)
        at, sides = (builder.inttoptr(argument, word.as_pointer()) for argument in arguments[:2])

        def item(memory: Any, place: int) -> Any:
            return builder.load(builder.gep(memory, [word(place)]))

        def made(place: int, table: Table, array: Any) -> Any:
            shape = [word(side) if isinstance(side, int) else item(sides, SIDES.index(side)) for side in table.sides]
            return _array_of(context, builder, array, item(at, place), shape)

        parts = [made(place, table, array) for place, (table, array) in enumerate(zip(tables, arrays, strict=True))]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.NamedTuple(arrays, kind.instance_class)(types.int64, types.int64, kind), generate


def _array_of(context: Any, builder: Any, array: Any, address: Any, shape: Sequence[Any]) -> Any:
    """The array of a type at an address."""
    item = context.get_data_type(array.dtype)
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(item))
    strides = [itemsize]
    for side in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], side))
    made = arrayobj.make_array(array)(context, builder)
    data = builder.inttoptr(address, item.as_pointer())
    arrayobj.populate_array(made, data, shape, strides, itemsize, meminfo=None)
    return made._getvalue()


def compile_entry(name: str) -> Kernel:
    """Compile a kernel of `ENTRIES`, or take it from the disk, as a function of C."""
    folder = writable_folder()
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(folder or "")
    try:  # programs that use numba beside Carrel keep their folder
        function = numba.cfunc(_signature(name), cache=folder is not None, **_ENTRY)(_source(name))
    finally:
        _settings.CACHE_DIR = before
    kernel: Any = ctypes.CFUNCTYPE(None, *ENTRIES[name][1])(function.address)
    kernel.owner = function  # the machine code lives as long as this
    return kernel


def machine_code() -> bytes:
    """Return an object file of all kernels as functions of C, by numba's own optimizer and for the same processor."""
    own = _target.target_context.codegen()
    return object_code(assembly(), own._get_host_cpu_name(), own._get_host_cpu_features())


def assembly() -> str:
    """Return all kernels as one module of LLVM's assembly, whose only outer names are those of `ENTRIES`."""
    whole, *others = [llvm.parse_assembly(_assembly_of(name)) for name in ENTRIES]
    for other in others:
        whole.link_in(other)
    for value in (*whole.functions, *whole.global_variables):
        if not value.is_declaration and not value.name.startswith("carrel_"):
            value.linkage = llvm.Linkage.internal
    return str(whole)


def object_code(text: str, cpu: str, features: str = "") -> bytes:
    """Return the object file of a module in LLVM's assembly, for the system that it names and a kind of processor."""
    module = llvm.parse_assembly(text)
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=cpu, features=features, opt=_settings.OPT, reloc="pic"
    )
    return machine.emit_object(module)


def _assembly_of(name: str) -> str:
    """A kernel of `ENTRIES` as LLVM's assembly, optimized, with a function of C ``carrel_<name>``."""
    signature = _signature(name)
    compiled = numba.njit(signature, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_ENTRY)(_source(name))
    result = compiled.overloads[signature.args]
    kinds = [{"int64": "i64", "float32": "float"}[str(kind)] for kind in signature.args]
    given = ", ".join(f"{kind} %a{i}" for i, kind in enumerate(kinds))
    # numba's functions return a status, and take places for their result and an exception; kernels have neither
    return f"""{result.library.get_llvm_str()}
define void @carrel_{name}({given}) {{
  %result = alloca ptr
  %exception = alloca ptr
  %status = call i32 @{result.fndesc.mangled_name}(ptr %result, ptr %exception, {given})
  ret void
}}
"""


def _source(name: str) -> Callable[..., None]:
    return getattr(import_module(ENTRIES[name][0]), name)


def _signature(name: str) -> Any:
    # addresses are integers to the kernels
    return types.void(*(types.int64 if kind is ctypes.c_void_p else from_ctypes(kind) for kind in ENTRIES[name][1]))
