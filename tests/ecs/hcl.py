# SPDX-License-Identifier: Apache-2.0
"""Evaluates a Terraform module without Terraform: `hcl.py FOLDER < STAND-INS`.

python-hcl2 parses; what its tree means is computed here, for as much of the language as the module
uses: what is not known is an error. Standard input is JSON: `variables`, and `objects`, which
stand for data sources and resources. Standard output is JSON: every local value, what each
resource is given (`count` and `for_each` applied), and the messages of validations that failed.
Runs on .cache/venv-ecs, since the tests' own packages hold no parser of HCL.
"""

import json
import operator
import re
import sys
from pathlib import Path

import hcl2.parser
from lark import Token, Tree

NOISE = {"new_line_or_comment"}


class Unknown(Exception):
    """What a `try` or a `can` catches: a reference that leads nowhere, or a bad argument."""


class Thunk:
    """A local value: computed when it is asked for, and no earlier."""

    def __init__(self, compute):
        self.compute, self.done = compute, False

    def get(self):
        if not self.done:
            self.value, self.done = self.compute(), True
        return self.value


def regex(pattern: str, text: str):
    found = re.search(pattern, text)
    if not found:
        raise Unknown(f"{pattern} does not match")
    return found.groupdict() or list(found.groups()) or found.group()


def encode(value) -> str:
    """As Terraform does it: keys in order, no spaces, and three characters escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def distinct(values: list) -> list:
    return [v for i, v in enumerate(values) if v not in values[:i]]


FUNCTIONS = {
    "alltrue": all,
    "concat": lambda *lists: [v for one in lists for v in one],
    "contains": lambda values, wanted: wanted in values,
    "distinct": distinct,
    "flatten": lambda lists: [v for one in lists for v in one],
    "format": lambda text, *values: text % values,
    "join": lambda separator, values: separator.join(values),
    "jsonencode": encode,
    "keys": lambda value: sorted(value),
    "length": len,
    "merge": lambda *objects: {k: v for one in objects for k, v in one.items()},
    "regex": regex,
    "regexall": lambda pattern, text: re.findall(pattern, text),
    "setsubtract": lambda a, b: sorted(set(a) - set(b)),
    "setunion": lambda *sets: sorted(set().union(*sets)),
    "sort": sorted,
    "split": lambda separator, text: text.split(separator),
    "toset": lambda values: sorted(set(values)),
    "values": lambda value: [value[k] for k in sorted(value)],
}
BINARY = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def parts(tree: Tree) -> list:
    """The children that mean something."""
    return [c for c in tree.children if not (isinstance(c, Tree) and c.data in NOISE)]


def trees(tree: Tree) -> list[Tree]:
    return [c for c in parts(tree) if isinstance(c, Tree)]


def name_of(tree: Tree) -> str:
    return str(tree.children[0])


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: ESCAPES[m.group(1)], text)


class Evaluator:
    def __init__(self, scope: dict) -> None:
        self.scope = scope

    def within(self, **names) -> "Evaluator":
        return Evaluator({**self.scope, **names})

    def value(self, tree):
        found = getattr(self, tree.data)(tree)
        return found.get() if isinstance(found, Thunk) else found

    # ---- literals ----

    def expr_term(self, tree):
        inner = trees(tree)
        return self.value(inner[0])

    def literal_value(self, tree):
        return {"true": True, "false": False, "null": None}[name_of(tree)]

    def int_lit(self, tree):
        return int(name_of(tree))

    def float_lit(self, tree):
        return float(name_of(tree))

    def identifier(self, tree):
        name = name_of(tree)
        if name not in self.scope:
            raise Unknown(f"{name} is not known")
        return self.scope[name]

    def string(self, tree):
        pieces = [self.string_piece(c.children[0]) for c in trees(tree)]
        return pieces[0] if len(pieces) == 1 else "".join(map(self.text, pieces))

    def string_piece(self, piece):
        if isinstance(piece, Token):
            escaped = piece.type in ("ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE")
            return str(piece)[1:] if escaped else unescape(str(piece))
        assert piece.data == "interpolation", piece.data
        return self.value(trees(piece)[0])

    @staticmethod
    def text(value) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        assert isinstance(value, str | int), value
        return str(value)

    # ---- collections ----

    def tuple(self, tree):
        return [self.value(t) for t in trees(tree)]

    def object(self, tree):
        return dict(self.member(t) for t in trees(tree))

    def member(self, tree):
        key, value = trees(tree)
        return self.key(key), self.value(value)

    def key(self, tree):
        """A bare name is the key itself, as Terraform has it; anything else is computed."""
        inner = tree.children[0]
        if isinstance(inner, Tree) and inner.data == "expr_term":
            only = trees(inner)[0]
            if only.data == "identifier" and len(inner.children) == 1:
                return name_of(only)
        return self.text(self.value(inner))

    def rounds(self, tree):
        """The scopes of a `for`, and what stands behind its colon."""
        intro, *rest = trees(tree)
        *names, collection = trees(intro)
        names = [name_of(n) for n in names]
        over = self.value(collection)
        pairs = sorted(over.items()) if isinstance(over, dict) else enumerate(over)
        condition = rest.pop() if rest[-1].data == "for_cond" else None
        for key, value in pairs:
            given = (key, value) if len(names) == 2 else (value,)
            inside = self.within(**dict(zip(names, given, strict=True)))
            if condition is None or inside.value(trees(condition)[0]):
                yield inside, rest

    def for_tuple_expr(self, tree):
        return [inside.value(body) for inside, (body,) in self.rounds(tree)]

    def for_object_expr(self, tree):
        found = {}
        for inside, (key, body) in self.rounds(tree):
            name = inside.value(key)
            assert name not in found, f"{name} twice"
            found[name] = inside.value(body)
        return found

    # ---- ways into a value ----

    def look(self, value, key):
        if isinstance(value, Thunk):
            value = value.get()
        try:
            found = value[key]
        except (KeyError, IndexError, TypeError) as error:
            raise Unknown(f"no {key}") from error
        return found.get() if isinstance(found, Thunk) else found

    def get_attr_expr_term(self, tree):
        base, attribute = trees(tree)
        return self.look(self.value(base), name_of(trees(attribute)[0]))

    def index_expr_term(self, tree):
        base, index = trees(tree)
        return self.look(self.value(base), self.value(trees(index)[0]))

    def full_splat_expr_term(self, tree):
        base, splat = trees(tree)
        found = self.value(base)
        for attribute in trees(splat):
            found = [self.look(one, name_of(trees(attribute)[0])) for one in found]
        return found

    # ---- operations ----

    def conditional(self, tree):
        condition, yes, no = trees(tree)
        return self.value(yes if self.value(condition) else no)

    def unary_op(self, tree):
        sign, value = parts(tree)
        return not self.value(value) if sign == "!" else -self.value(value)

    def binary_op(self, tree):
        left, term = trees(tree)
        sign, right = trees(term)
        sign = name_of(sign)
        if sign == "&&":
            return self.value(left) and self.value(right)
        if sign == "||":
            return self.value(left) or self.value(right)
        return BINARY[sign](self.value(left), self.value(right))

    def function_call(self, tree):
        name, *arguments = trees(tree)
        name = name_of(name)
        arguments = trees(arguments[0]) if arguments else []
        if name == "can":
            return self.attempt(arguments[0])[0]
        if name == "try":
            good = (found for works, found in map(self.attempt, arguments) if works)
            return next(good)
        return FUNCTIONS[name](*map(self.value, arguments))

    def attempt(self, tree):
        try:
            return True, self.value(tree)
        except (Unknown, AttributeError):
            return False, None


# ---- a module ----


def body_of(block: Tree) -> Tree:
    return next(c for c in block.children if isinstance(c, Tree) and c.data == "body")


def labels(block: Tree) -> list[str]:
    named = [c for c in trees(block) if c.data in ("identifier", "string")]
    return [Evaluator({}).string(c) if c.data == "string" else name_of(c) for c in named]


def attributes(body: Tree) -> dict[str, Tree]:
    return {name_of(t.children[0]): trees(t)[-1] for t in trees(body) if t.data == "attribute"}


def blocks(body: Tree) -> list[Tree]:
    return [t for t in trees(body) if t.data == "block"]


def read(folder: Path) -> list[Tree]:
    parser = hcl2.parser.parser()
    files = sorted(folder.glob("*.tf"))
    return [b for f in files for b in blocks(parser.parse(f.read_text()).children[0])]


def content(body: Tree, evaluator: Evaluator) -> dict:
    """A block's arguments, and the blocks in it as lists."""
    given = {k: evaluator.value(v) for k, v in attributes(body).items() if k not in META}
    for inner in blocks(body):
        kind, *rest = labels(inner)
        if kind == "dynamic":
            made = attributes(body_of(inner))
            over = evaluator.value(made["for_each"])
            pairs = over.items() if isinstance(over, dict) else enumerate(over)
            shape = next(b for b in blocks(body_of(inner)) if labels(b) == ["content"])
            for key, value in pairs:
                inside = evaluator.within(**{rest[0]: {"key": key, "value": value}})
                given.setdefault(rest[0], []).append(content(body_of(shape), inside))
        else:
            given.setdefault(kind, []).append(content(body_of(inner), evaluator))
    return given


META = ("count", "for_each", "depends_on")


def resource(body: Tree, evaluator: Evaluator) -> list[dict]:
    made = attributes(body)
    if "count" in made:
        return [content(body, evaluator) for _ in range(evaluator.value(made["count"]))]
    if "for_each" in made:
        each = evaluator.value(made["for_each"])
        pairs = each.items() if isinstance(each, dict) else ((v, v) for v in each)
        return [
            content(body, evaluator.within(each={"key": key, "value": value}))
            for key, value in pairs
        ]
    return [content(body, evaluator)]


def variables(found: list[Tree], given: dict) -> tuple[dict, list[str]]:
    """The values, defaults of optional members included, and what validations say of them."""
    values, wrong = {}, []
    for block in found:
        _, name = labels(block)
        rows = attributes(body_of(block))
        if name in given:
            values[name] = complete(rows.get("type"), given[name])
        elif "default" in rows:
            values[name] = Evaluator({}).value(rows["default"])
        else:
            wrong.append(f"{name} has no value")
    for block in found:
        for rule in blocks(body_of(block)):
            rows = attributes(body_of(rule))
            if not Evaluator({"var": values}).value(rows["condition"]):
                wrong.append(Evaluator({}).value(rows["error_message"]))
    wrong += [f"{name} is no variable" for name in given if name not in values]
    return values, wrong


def complete(kind: Tree | None, value):
    """What optional() of an object's type adds."""
    if kind is None or not (isinstance(kind, Tree) and isinstance(value, dict)):
        return value
    filled = dict(value)
    members = [t for t in kind.iter_subtrees() if t.data == "object_elem"]
    for member in members:
        key, type_of = trees(member)
        calls = [t for t in type_of.iter_subtrees() if t.data == "function_call"]
        for call in calls:
            if name_of(trees(call)[0]) == "optional":
                arguments = trees(trees(call)[1])
                default = Evaluator({}).value(arguments[1]) if len(arguments) == 2 else None
                filled.setdefault(Evaluator({}).key(key), default)
    unknown = set(value) - {Evaluator({}).key(trees(m)[0]) for m in members}
    assert not members or not unknown, f"no such member: {unknown}"
    return filled


def evaluate(folder: Path, stand_ins: dict) -> dict:
    by_kind: dict[str, list[Tree]] = {}
    for block in read(folder):
        by_kind.setdefault(labels(block)[0], []).append(block)
    values, wrong = variables(by_kind.get("variable", []), stand_ins["variables"])
    if wrong:
        return {"wrong": wrong}
    scope = {"var": values, **stand_ins["objects"]}
    evaluator = Evaluator(scope)
    scope["local"] = {
        name: Thunk(lambda tree=tree: evaluator.value(tree))
        for block in by_kind.get("locals", [])
        for name, tree in attributes(body_of(block)).items()
    }
    return {
        "wrong": [],
        "locals": {name: thunk.get() for name, thunk in scope["local"].items()},
        "resources": {
            ".".join(labels(block)[1:]): resource(body_of(block), evaluator)
            for block in by_kind.get("resource", [])
        },
        "modules": {
            labels(block)[1]: content(body_of(block), evaluator)
            for block in by_kind.get("module", [])
        },
    }


if __name__ == "__main__":
    json.dump(evaluate(Path(sys.argv[1]), json.load(sys.stdin)), sys.stdout)
