"""Writes documents by a layout: compiled once into functions, which append text."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from faktura.documents.en16931 import EInvoice
from faktura.documents.terms import COMPOSITES, ROOT, TERMS
from faktura.documents.xml_layout import Binding, Node
from faktura.documents.xml_values import AMOUNTS, CONDITIONS, TEXT, Codec, Dialect, codec_of, escaped
from faktura.domain.errors import InvalidDocumentError, fault

Scope = dict[str, Any]
"""The document, and the item of each repeated group that is being written, by the group's id."""
Write = Callable[[Scope, list[str]], bool]
"""Appends an element; False, and nothing appended, where the document says nothing of it."""

FIRST = "first"
"""In a scope: whether it is the first of the repeated group that is written last."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_document(write: Write, document: EInvoice) -> bytes:
    """The document's bytes. Raises InvalidDocumentError for text that XML cannot carry."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    write({ROOT: document}, out)
    out.append("\n")
    text = "".join(out)
    found = _FORBIDDEN.search(text)
    if found is not None:
        around = text[max(0, found.start() - 20) : found.start()].rpartition(">")[2]
        raise InvalidDocumentError([fault("XML-TEXT", "", f"the text after {around!r} has a control character, which no e-invoice can carry")])
    return text.encode()


def compile_writer(dialect: Dialect, node: Node) -> Write:
    """The function that writes an element and all below it."""
    write = _leaf(dialect, node) if node.binding else _parent(dialect, node) if node.children else _constant(node)
    return _repeated(node, write) if node.each else write


def _value_of(contexts: tuple[str, ...], binding: Binding, *, is_whole: bool = False) -> Callable[[Scope], Any]:
    """What fetches a term, or a part of one, from the nearest group around; `is_whole` the term with all its parts."""
    term = binding.term
    names: list[str] = []
    if not is_whole and term.datatype in COMPOSITES:
        names.append(binding.part or COMPOSITES[term.datatype][1])
    at = term.id
    while at not in contexts:
        names.insert(0, TERMS[at].attribute)
        at = TERMS[at].group
    if len(names) == 1:
        get = attrgetter(names[0])

        def fetch_near(scope: Scope) -> Any:  # noqa: ANN401 - a term's value
            holder = scope[at]
            return None if holder is None else get(holder)

        return fetch_near

    def fetch(scope: Scope) -> Any:  # noqa: ANN401 - a term's value
        value = scope[at]
        for name in names:
            if value is None:
                return None
            value = getattr(value, name)
        return value

    return fetch


def _group_of(group: str) -> Callable[[Scope], Any]:
    return lambda scope: scope[group]


def _open_tag(dialect: Dialect, node: Node) -> str:
    fixed = "".join(f' {name}="{value}"' for name, value in node.fixed.items())
    declared = dialect.declared if node.parent is None else ""
    return f"<{node.tag}{declared}{fixed}"


def _constant(node: Node) -> Write:
    text = f"<{node.tag}>{escaped((node.constant or node.soft)[0])}</{node.tag}>" if node.constant or node.soft else f"<{node.tag}/>"
    is_said = "always" in node.flags

    def write(_: Scope, out: list[str]) -> bool:
        out.append(text)
        return is_said

    return write


def _parent(dialect: Dialect, node: Node) -> Write:
    children = [compile_writer(dialect, child) for child in node.children if "read" not in child.flags]
    opened, closed = f"{_open_tag(dialect, node)}>", f"</{node.tag}>"
    empty = f"{_open_tag(dialect, node)}/>" if "always" in node.flags else None
    is_constant = node.is_constant

    def write(scope: Scope, out: list[str]) -> bool:
        mark = len(out)
        out.append(opened)
        is_said = False
        for child in children:
            if child(scope, out):
                is_said = True
        if not is_said and not is_constant:
            del out[mark:]
            if empty:
                out.append(empty)
            return empty is not None
        out.append(closed)
        return is_said

    return write


def _leaf(dialect: Dialect, node: Node) -> Write:
    binding = node.binding
    if binding is None:
        raise AssertionError("a leaf is a term")
    contexts = node.contexts
    codec = codec_of(dialect, node)
    fetch = _group_of(binding.term.group) if codec.is_of_group else _value_of(contexts, binding)
    whole = _value_of(contexts, binding, is_whole=True)
    condition = CONDITIONS[node.options["if"]] if "if" in node.options else None
    attributes = _attributes(dialect, node)
    opened, closed = _open_tag(dialect, node), f"</{node.tag}>"
    placeholder = f"{opened}>{node.options['none']}{closed}" if "none" in node.options else None
    to_text, is_first_only = codec.write, "first" in node.flags

    def write(scope: Scope, out: list[str]) -> bool:
        value = None if is_first_only and not scope[FIRST] else fetch(scope)
        if value is None or value == "" or (condition is not None and not condition(whole(scope))):
            if placeholder:
                out.append(placeholder)
            return False
        written = escaped(to_text(value))
        if not attributes:
            out.append(f"{opened}>{written}{closed}")
            return True
        said = opened
        for name, fetch_attribute, write_attribute in attributes:
            item = fetch_attribute(scope)
            if item is not None:
                said = f'{said} {name}="{escaped(write_attribute(item), is_attribute=True)}"'
        out.append(f"{said}>{written}{closed}")
        return True

    return write


def _attributes(dialect: Dialect, node: Node) -> list[tuple[str, Callable[[Scope], Any], Callable[[Any], str]]]:
    found: list[tuple[str, Callable[[Scope], Any], Callable[[Any], str]]] = []
    codec: Codec = TEXT
    for name, binding in node.attributes.items():
        found.append((name, _value_of(node.contexts, binding), codec.write))
    is_amount = node.binding is not None and node.binding.term.datatype in AMOUNTS
    if dialect.amount_currency and is_amount and dialect.amount_currency not in node.attributes:
        found.append((dialect.amount_currency, lambda scope: scope[ROOT].currency, codec.write))
    return found


def _repeated(node: Node, write: Write) -> Write:
    term = node.each
    if term is None:
        raise AssertionError("it is repeated for each of a group")
    outer = node.parent.contexts if node.parent else (ROOT,)
    fetch, at, is_once = _value_of(outer, Binding(term), is_whole=True), term.id, node.at_least_one

    def write_all(scope: Scope, out: list[str]) -> bool:
        items = fetch(scope) or ((None,) if is_once else ())
        is_said = False
        scope[FIRST] = True
        for item in items:
            scope[at] = item
            if write(scope, out):
                is_said = True
            scope[FIRST] = False
        return is_said

    return write_all
