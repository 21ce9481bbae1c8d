"""A plugin of mypy: `.get` and `in` with a key that a TypedDict does not have are mistakes too.

mypy itself reports them for `d["tipe"]` alone: `d.get("tipe")` is an `object` to it, and
`"tipe" in d` a `bool`. https://mypy.readthedocs.io/en/stable/extending_mypy.html
"""

from collections.abc import Callable

from mypy.errorcodes import TYPEDDICT_ITEM
from mypy.errors import Errors
from mypy.plugin import MethodContext, Plugin
from mypy.plugins.common import try_getting_str_literals
from mypy.plugins.default import typed_dict_get_callback
from mypy.types import Type, TypedDictType, get_proper_type


class Keys(Plugin):
    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        if fullname == "typing.Mapping.get":
            return _get
        return _contains if fullname == "typing.Mapping.__contains__" else None


def plugin(version: str) -> type[Plugin]:
    return Keys


def _get(ctx: MethodContext) -> Type:
    if (message := _mistake(ctx)) is not None:
        ctx.api.fail(message, ctx.context, code=TYPEDDICT_ITEM)
    return typed_dict_get_callback(ctx)


def _contains(ctx: MethodContext) -> Type:
    if (message := _mistake(ctx)) is not None:
        # mypy swallows what is found here, as it then tries `in` by iteration
        errors: Errors = ctx.api.msg.errors
        watchers, errors._watchers = errors._watchers, []
        ctx.api.fail(message, ctx.context, code=TYPEDDICT_ITEM)
        errors._watchers = watchers
    return ctx.default_return_type


def _mistake(ctx: MethodContext) -> str | None:
    shape = get_proper_type(ctx.type)
    if not isinstance(shape, TypedDictType):
        return None
    keys = try_getting_str_literals(ctx.args[0][0], ctx.arg_types[0][0]) or []
    unknown = next((key for key in keys if key not in shape.items), None)
    name = shape.fallback.type.name
    return None if unknown is None else f'TypedDict "{name}" has no key "{unknown}"'
