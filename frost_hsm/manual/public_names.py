"""Every public name with its signature and its docstring, read from the source: nothing of it has to be imported."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, TypeAlias, TypeGuard

CONTRACTS: Final = ("frost_hsm.backends", "frost_hsm.boards", "frost_hsm.targets", "frost_hsm.testing")
"""What a plug-in is written against: modules of which each name without an underscore is public."""

_Definition: TypeAlias = "ast.ClassDef | ast.FunctionDef"


def text() -> str:
    """Return the reference, in Markdown: a section a name or module that ``frost_hsm`` exports, then the contracts."""
    homes = _imported("frost_hsm")
    sections = []
    for name in _exported(_parse("frost_hsm")):
        module = f"{homes[name]}.{name}"
        sections.append(_module(name, module) if _is_module(module) else "\n\n".join(_name(homes[name], name)))
    sections += [_module(module, module) for module in CONTRACTS]
    return re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", "\n\n".join(filter(None, sections)))


def names() -> list[str]:
    """Return the headings of the reference, without parameters: ``Secret``, ``dkg.part1``, ``GroupKey.load``."""
    return re.findall(r"^##+ `([\w.]+)", text(), re.MULTILINE)


def _module(shown: str, module: str) -> str:
    tree = _parse(module)
    parts = [f"## `{shown}`", _plain(ast.get_docstring(tree))]
    for name in _exported(tree) or [node.name for node in tree.body if _is_public(node)]:
        parts += _name(module, name, prefix=f"{shown}.", level=3)
    return "\n\n".join(filter(None, parts))


def _name(module: str, name: str, *, prefix: str = "", level: int = 2) -> Iterator[str]:
    """Describe a name where it is defined, which may be another module than the one that hands it on."""
    home, number = _home(module, name)
    body = _parse(home).body
    node = body[number]
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield from _definition(home, node, prefix, level)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        yield f"{'#' * level} `{prefix}{name}{_kind(node)}`"
        said = list(_said_after(body, number))
        yield from said or [f"`{ast.unparse(node.value)}`" if node.value is not None else ""]


def _home(module: str, name: str) -> tuple[str, int]:
    """Find the module that defines a name, and where in it."""
    for number, node in enumerate(_parse(module).body):
        is_defined = isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        if is_defined or (isinstance(node, ast.Assign | ast.AnnAssign) and name in _assigned(node)):
            return module, number
    return _home(_imported(module)[name], name)


def _definition(module: str, node: _Definition, prefix: str, level: int) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        yield f"{'#' * level} `{prefix}{node.name}{_signature(node)}`"
        yield _plain(ast.get_docstring(node))
        return
    bases = f"({', '.join(map(ast.unparse, node.bases))})" if node.bases else ""
    yield f"{'#' * level} `{prefix}{node.name}{bases}`"
    yield _plain(ast.get_docstring(node))
    yield from _members(module, node, f"{prefix}{node.name}.", level + 1, set())


def _members(module: str, node: ast.ClassDef, prefix: str, level: int, seen: set[str]) -> Iterator[str]:
    """Describe what a class has, and then what it has from those of ours that it is made of."""
    for number, each in enumerate(node.body):
        if isinstance(each, ast.AnnAssign):
            name = _assigned(each)[0]
            if not name.startswith("_") and name not in seen:
                said = " ".join(_said_after(node.body, number))
                yield f"- `{name}: {ast.unparse(each.annotation)}`{f': {said}' if said else ''}"
        elif _is_public(each) and (name := each.name) not in seen:
            yield from _definition(module, each, prefix, level)
        else:
            continue
        seen.add(name)
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0]
        if _is_ours(module, name):
            home, at = _home(module, name)
            made_of = _parse(home).body[at]
            if isinstance(made_of, ast.ClassDef):
                yield from _members(home, made_of, prefix, level, seen)


def _is_ours(module: str, name: str) -> bool:
    is_defined_here = any(isinstance(node, ast.ClassDef) and node.name == name for node in _parse(module).body)
    return is_defined_here or _imported(module).get(name, "").startswith("frost_hsm.")


def _signature(node: ast.FunctionDef) -> str:
    if any(ast.unparse(each) == "property" for each in node.decorator_list):
        return f": {ast.unparse(node.returns)}" if node.returns else ""
    parameters = ast.unparse(node.args)
    is_method = parameters.split(",")[0] in ("self", "cls")
    shown = parameters.partition(", ")[2] if is_method else parameters
    return f"({shown}){f' -> {ast.unparse(node.returns)}' if node.returns else ''}"


def _is_public(node: ast.stmt) -> TypeGuard[_Definition]:
    return isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")


def _kind(node: ast.Assign | ast.AnnAssign) -> str:
    if isinstance(node, ast.AnnAssign):
        return f": {ast.unparse(node.annotation)}"
    return f": {ast.unparse(node.value.func)}" if isinstance(node.value, ast.Call) else ""


def _assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _said_after(body: list[ast.stmt], number: int) -> Iterator[str]:
    """Return the string that stands after a definition, as what describes it."""
    after = body[number + 1 : number + 2]
    if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
        yield _plain(str(after[0].value.value))


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and _assigned(node) == ["__all__"]:
            listed: list[str] = ast.literal_eval(node.value)
            return listed
    return []


def _imported(module: str) -> dict[str, str]:
    """Return where each name of a module is imported from, inside ``if TYPE_CHECKING`` too."""
    return {
        alias.name: node.module
        for node in ast.walk(_parse(module))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }


def _plain(docstring: str | None) -> str:
    return re.sub("(?<!`)``([^`]+)``(?!`)", r"`\1`", docstring or "")


def _is_module(module: str) -> bool:
    return any(path.is_file() for path in _paths(module))


@functools.cache
def _parse(module: str) -> ast.Module:
    path = next(path for path in _paths(module) if path.is_file())
    return ast.parse(path.read_text(encoding="utf-8"))


def _paths(module: str) -> list[Traversable]:
    root = files("frost_hsm")
    inside = module.split(".")[1:]
    return [
        root.joinpath(*inside, "__init__.py"),
        *([root.joinpath(*inside[:-1], f"{inside[-1]}.py")] if inside else []),
    ]
