"""A syntax's layout: which element, in which order, holds which business term. Read once, it writes documents and reads them.

A layout is indented text, an element a line, in the order that the syntax's schema asks for:

    cac:PostalAddress
      cbc:CityName  BT-37
      cac:Country/cbc:IdentificationCode  BT-40

After the path stand, in any order:

    BT-37                the term that the element's text is; BT-34.scheme is a part of one
    @schemeID=BT-34.scheme   an attribute that is a term or a part; @format:=102 one that never changes
    =VAT                 text that never changes, and by which elements of one name are told apart; =false|0 reads either
    ~FC                  text that is written, and reported as left out where another is read
    each=BG-25           one element for each of a group or of a repeated term; each?=BG-17 at least one
    as=note              a codec by name
    if=scheme            written for such values alone
    when=own             read where the named test holds
    shared               may stand many times, saying the same
    first                written in the first of the repeated group alone
    spare                where the term is known already, left out
    read                 never written
    always               written even when empty
    none=NA              what stands in the schema's mandatory element for nothing
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property

from faktura.documents.terms import ROOT, TERMS, Term

FORMAT = "format"
"""Of a date: another one is told as a mistake, where any other fixed attribute tells elements apart."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The term, or the part of one, that a text or an attribute is."""

    term: Term
    part: str | None = None

    @classmethod
    def read(cls, text: str) -> Binding:
        """`BT-34` or `BT-34.scheme`."""
        term_id, _, part = text.partition(".")
        return cls(TERMS[term_id], part or None)


@dataclass(eq=False)
class Node:
    """An element of a layout."""

    tag: str
    parent: Node | None = None
    binding: Binding | None = None
    attributes: dict[str, Binding] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    constant: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    each: Term | None = None
    at_least_one: bool = False
    options: dict[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    children: list[Node] = field(default_factory=list)

    @property
    def is_constant(self) -> bool:
        """Whether nothing in it depends on the document."""
        if self.children:
            return all(child.is_constant for child in self.children)
        return bool(self.constant or self.soft)

    @cached_property
    def contexts(self) -> tuple[str, ...]:
        """The repeated groups that it stands in, the nearest first, the document last."""
        around = self.parent.contexts if self.parent else (ROOT,)
        return (self.each.id, *around) if self.each else around

    @cached_property
    def path(self) -> str:
        """From the document's element, for reports and the reference page."""
        return f"{self.parent.path}/{self.tag}" if self.parent and self.parent.tag else self.tag

    @cached_property
    def tests(self) -> tuple[tuple[str, str | None, tuple[str, ...]], ...]:
        """What elements of its name must hold to be it: (path below, attribute or None for the text, texts allowed)."""
        found: list[tuple[str, str | None, tuple[str, ...]]] = []
        for child in self.children:
            if child.constant:
                found.append((child.tag, None, child.constant))
            elif child.is_constant:
                found += [(f"{child.tag}/{path}", name, texts) for path, name, texts in child.tests]
            found += [(child.tag, name, (value,)) for name, value in child.fixed.items() if name != FORMAT]
        return tuple(found)

    def all_nodes(self) -> list[Node]:
        """Itself and all below, in order."""
        return [self, *(node for child in self.children for node in child.all_nodes())]


def read_layout(text: str) -> Node:
    """The tree of a layout; its only element is the document's."""
    top = Node("")
    open_at: list[tuple[int, Node]] = [(-1, top)]
    for row in text.splitlines():
        if not row.strip():
            continue
        depth = len(row) - len(row.lstrip())
        while open_at[-1][0] >= depth:
            open_at.pop()
        path, *words = shlex.split(row)
        node = first = _child(open_at[-1][1], path.split("/")[0])
        for tag in path.split("/")[1:]:
            node = _child(node, tag)
        for word in words:
            _say(first, node, word)
        open_at.append((depth, node))
    root = top.children[0]
    root.parent = None
    return root


def _child(parent: Node, tag: str) -> Node:
    node = Node(tag, parent)
    parent.children.append(node)
    return node


def _say(first: Node, last: Node, word: str) -> None:
    """One word of a row; `each` is about the first element of its path, the rest about the last."""
    name, _, value = word.partition("=")
    if word.startswith("="):
        last.constant = tuple(word[1:].split("|"))
    elif word.startswith("~"):
        last.soft = tuple(word[1:].split("|"))
    elif word.startswith("@"):
        if name.endswith(":"):
            last.fixed[name[1:-1]] = value
        else:
            last.attributes[name[1:]] = Binding.read(value)
    elif name in {"each", "each?"}:
        first.each, first.at_least_one = TERMS[value], name == "each?"
    elif word.startswith("BT-"):
        last.binding = Binding.read(word)
    elif value:
        last.options[name] = value
    else:
        last.flags |= {word}


def term_paths(root: Node) -> dict[str, str]:
    """Where each term is written, from the document's element; terms that stand in several places have the first."""
    found: dict[str, str] = {}
    for node in root.all_nodes():
        if "read" in node.flags:
            continue
        if node.binding and not node.binding.part:
            found.setdefault(node.binding.term.id, node.path)
        if node.each:
            found.setdefault(node.each.id, node.path)
            if "as" in node.options:  # all of the group in one text
                found |= {term.id: node.path for term in TERMS.values() if term.group == node.each.id}
        for name, binding in node.attributes.items():
            if not binding.part:
                found.setdefault(binding.term.id, f"{node.path}/@{name}")
    return found
