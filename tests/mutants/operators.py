"""The changes that can be made to a source file, each as a replacement of a stretch of its text.

Not changed: docstrings, annotations, log calls, messages and other texts that only people read.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}
#: Texts that programs read: `code="invalid_value"` is changed, a message is not.
_READ_BY_PROGRAMS = ("code", "param", "type")
#: Of dataclasses: slots take less memory, and behave the same; whoever assigns to a frozen one is
#: refused by mypy, before any test. Of type variables: types. Of parameters: what people read.
_NOT_BEHAVIOUR = ("slots", "frozen", "bound", "description", "help", "title")
_LOGGERS = ("_log", "log", "logger", "logging")


@dataclass(frozen=True)
class Mutant:
    """One change: from `start` to `end`, the file's bytes become `after`."""

    line: int
    code: str  # the line as it stands
    change: str
    start: int
    end: int
    after: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants(source: str) -> list[Mutant]:
    """All changes that leave the file a program, in the order of its text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return [mutant for mutant in finder.found if _compiles(mutant.apply(source.encode()))]


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.found: list[Mutant] = []
        self._source = source.encode()
        self._lines = self._source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def _add(self, node: ast.expr | ast.stmt, after: str | ast.AST, change: str = "") -> None:
        """`change` says what the two texts would not show at a glance."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        before = " ".join(self._source[start:end].decode().split())
        text = after if isinstance(after, str) else f"({ast.unparse(after)})"
        code = self._lines[node.lineno - 1].decode().strip()
        change = change or f"{before} -> {' '.join(text.split())}"
        self.found.append(Mutant(node.lineno, code, change, start, end, text))

    # what nothing is changed in

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    # expressions

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, operator in enumerate(node.ops):
            ops = list(node.ops)
            ops[index] = _COMPARE[type(operator)]()
            self._add(node, ast.Compare(node.left, ops, node.comparators))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for index in range(len(node.values)):
            kept = node.values[:index] + node.values[index + 1 :]
            self._add(node, kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if other := _ARITHMETIC.get(type(node.op)):
            self._add(node, ast.BinOp(node.left, other(), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add(node, repr(not node.value))
        elif isinstance(node.value, int | float):
            self._add(node, repr(node.value + 1))

    def visit_Dict(self, node: ast.Dict) -> None:
        for index in range(len(node.keys)):
            keys, values = list(node.keys), list(node.values)
            del keys[index], values[index]
            key = node.keys[index]
            name = ast.unparse(key) if key else "**"
            self._add(node, ast.Dict(keys, values), f"without the key {name}")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_log(node):
            return
        for index, keyword in enumerate(node.keywords):
            if keyword.arg in _NOT_BEHAVIOUR:
                continue
            kept = node.keywords[:index] + node.keywords[index + 1 :]
            call = ast.Call(node.func, node.args, kept)
            self._add(node, call, f"without {keyword.arg or '**'}=")
            value = keyword.value
            if keyword.arg in _READ_BY_PROGRAMS and _is_text(value):
                self._add(value, repr("mutated"))
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in _NOT_BEHAVIOUR:
            self.visit(node.value)

    # statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _is_log(node.value):
            return
        if isinstance(node.value, ast.Call | ast.Await):
            self._add(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._add(node, "pass")
        if other := _ARITHMETIC.get(type(node.op)):
            self._add(node, ast.unparse(ast.AugAssign(node.target, other(), node.value)))
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        # to whoever asks, None is False; False becomes True elsewhere
        if node.value is not None and not _is_none_or_false(node.value):
            self._add(node, "return None")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        self._add(node.test, "False")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._add(node.test, "True")
        self._add(node.test, "False")
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        for statement in node.finalbody:
            self._add(statement, "pass")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if isinstance(node.type, ast.Tuple) and len(node.type.elts) > 1:
            for kept in node.type.elts:
                self._add(node.type, kept)
        self.generic_visit(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_none_or_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _is_log(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    owner = called.value if isinstance(called, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in _LOGGERS
