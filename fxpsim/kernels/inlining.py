"""Write the body of a scalar function into generated source, under fresh local names."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache


@cache
def _definition(function: Callable[..., object]) -> tuple[tuple[str, ...], tuple[ast.stmt, ...]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    body = tuple(s for s in tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)))
    return tuple(a.arg for a in tree.args.args), body


def is_straight_line(function: Callable[..., object]) -> bool:
    """Return whether the function is a run of assignments with one ``return`` at the end.

    >>> def twice(a): return a + a
    >>> is_straight_line(twice)
    True
    """
    _, body = _definition(function)
    return all(isinstance(s, (ast.Assign, ast.AnnAssign)) for s in body[:-1]) and isinstance(body[-1], ast.Return)


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self.names.get(node.id, node.id), ctx=node.ctx)


def inline(function: Callable[..., object], arguments: list[str], target: str, cast: str) -> list[str]:
    """Return the source lines that set ``target`` to ``cast(function(*arguments))``.

    >>> def fused(a, b, c):
    ...     product = a * b
    ...     return product + c
    >>> inline(fused, ["x", "y", "z"], "v3", "np.int32")
    ['v3_product = x * y', 'v3 = np.int32(v3_product + z)']
    """
    parameters, body = _definition(function)
    assert len(parameters) == len(arguments), f"{function.__name__} takes {len(parameters)} operands"
    names = dict(zip(parameters, arguments, strict=True))
    lines: list[str] = []
    for statement in body[:-1]:
        assert isinstance(statement, (ast.Assign, ast.AnnAssign))
        goals = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        assert isinstance(statement.value, ast.expr)
        value = ast.unparse(_Rename(names).visit(_copy(statement.value)))
        for goal in goals:
            for name in ast.walk(goal):
                if isinstance(name, ast.Name):
                    names[name.id] = f"{target}_{name.id}"
        left = " = ".join(ast.unparse(_Rename(names).visit(_copy(goal))) for goal in goals)
        lines.append(f"{left} = {value}")
    last = body[-1]
    assert isinstance(last, ast.Return)
    assert last.value is not None
    lines.append(f"{target} = {cast}({ast.unparse(_Rename(names).visit(_copy(last.value)))})")
    return lines


def _copy(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body
