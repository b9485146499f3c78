"""Reads documents by a layout. What the layout does not have is told by its path, never dropped silently."""

from __future__ import annotations

from dataclasses import MISSING, fields
from itertools import islice
from typing import Any, cast

from lxml import etree

from faktura.documents.en16931 import EInvoice, Parsed, Syntax, profile_of
from faktura.documents.terms import COMPOSITES, ROOT, TERMS, Term, members
from faktura.documents.xml_layout import FORMAT, Binding, Node
from faktura.documents.xml_values import AMOUNTS, Dialect, codec_of
from faktura.domain.errors import FAULTS_SHOWN_MAX, InputError
from faktura.domain.text import shown

Element = Any
"""lxml's; its stubs are not ours to require."""
Scope = dict[str, dict[str, Any]]
"""What is known so far of the document, and of the item of each repeated group that is being read."""

_SIBLINGS_MAX = 1000
"""How many are counted for a path: a document of hundreds of thousands of lines could have each of a thousand paths counted through all of them."""
SIZE_MAX = 20_000_000
"""Of an e-invoice, in bytes, what is attached to it included."""

_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"


class Reading:
    """One document while it is read."""

    def __init__(self, dialect: Dialect, root: Element) -> None:
        self.dialect = dialect
        self.left_out: list[str] = []
        self.left_out_count = 0
        self.currency = (root.findtext(dialect.currency_path, namespaces={prefix: uri for prefix, uri in dialect.namespaces.items() if prefix}) or "").strip()
        self.prefixed = {prefix: uri for prefix, uri in dialect.namespaces.items() if prefix}
        self.prefixes = {uri: prefix for prefix, uri in dialect.namespaces.items()}

    def document(self, root: Element) -> tuple[EInvoice, tuple[str, ...]]:
        """The document and what was left out of it."""
        known: dict[str, Any] = {}
        self._element(self.dialect.layout, root, {ROOT: known})
        lacking = [f"{term.id} ({term.name})" for name, term in members(ROOT).items() if name in _MANDATORY and name not in known]
        if lacking:
            message = f"line {root.sourceline}: the invoice lacks {', '.join(lacking)}"
            raise InputError(message)
        document = self._built(TERMS[ROOT], known)
        if self.left_out_count > len(self.left_out):
            self.left_out.append(f"and {self.left_out_count - len(self.left_out)} more")
        return cast("EInvoice", document), tuple(self.left_out)

    def _leave_out(self, element: Element, what: str = "") -> None:
        self.left_out_count += 1
        if len(self.left_out) < FAULTS_SHOWN_MAX:
            self.left_out.append(self._path(element) + what)

    def _path(self, element: Element) -> str:
        parts = []
        at = element
        while at is not None:
            parts.append(self._name(at.tag) + _place(at))
            at = at.getparent()
        return "/" + "/".join(reversed(parts))

    def _name(self, tag: str) -> str:
        uri, _, local = tag[1:].rpartition("}")
        prefix = self.prefixes.get(uri)
        if not tag.startswith("{"):
            return tag
        return f"{{{uri}}}{local}" if prefix is None else f"{prefix}:{local}" if prefix else local

    def _fail(self, element: Element, message: str) -> InputError:
        return InputError(f"line {element.sourceline}: {self._path(element)}: {message}")

    def _element(self, node: Node, element: Element, scope: Scope) -> None:
        if node.each is None:
            self._content(node, element, scope)
            return
        item: dict[str, Any] = {}
        self._content(node, element, {**scope, node.each.id: item})
        if item:
            outer = node.parent.contexts if node.parent else (ROOT,)
            holder, name = _holder(scope, outer, node.each)
            holder.setdefault(name, []).append(item)

    def _content(self, node: Node, element: Element, scope: Scope) -> None:
        if node.binding is None:
            self._structure(node, element, scope)
            return
        for child in element:
            self._unknown(child)
        # Comments split an element's text; what is between them is still its text.
        text = (element.text or "") + "".join(child.tail or "" for child in element)
        if not text.strip():
            for name in element.attrib:
                if name not in node.fixed and not name.startswith(_INSTANCE):
                    self._leave_out(element, f"/@{self._name(name)}")
            return
        if text.strip() == node.options.get("none"):
            return
        codec = codec_of(self.dialect, node)
        try:
            value = codec.read(text)
        except ValueError as error:
            raise self._fail(element, str(error)) from None
        if codec.is_of_group:
            scope[node.binding.term.group].update(value)
        elif not self._put(node, node.binding, value, element, scope):
            return
        self._attributes(node, element, scope)

    def _structure(self, node: Node, element: Element, scope: Scope) -> None:
        self._attributes(node, element, scope)
        text = (element.text or "").strip()
        if node.soft:
            if text not in node.soft:
                self._leave_out(element)
        elif text and not node.constant:
            self._leave_out(element, "/text()")
        by_tag = self._by_tag(node)
        for child in element:
            found = next((inner for inner in by_tag.get(child.tag, ()) if self._is(inner, child)), None)
            if found is None:
                self._unknown(child)
            else:
                self._element(found, child, scope)
            if (child.tail or "").strip():
                self._leave_out(element, "/text()")

    def _by_tag(self, node: Node) -> dict[str, list[Node]]:
        known = _CHILDREN.get(node)
        if known is None:
            known = {}
            for child in node.children:
                prefix, _, local = child.tag.rpartition(":")
                known.setdefault(f"{{{self.dialect.namespaces[prefix]}}}{local}", []).append(child)
            _CHILDREN[node] = known
        return known

    def _unknown(self, element: Element) -> None:
        if isinstance(element.tag, str):  # no comment or processing instruction
            self._leave_out(element)

    def _is(self, node: Node, element: Element) -> bool:
        """Whether an element of the node's name is it: by the constants in it, and by its test."""
        for path, name, allowed in node.tests:
            inner = element.find(path, namespaces=self.prefixed)
            given = None if inner is None else inner.text if name is None else inner.get(name)
            if (given or "").strip() not in allowed:
                return False
        if any(name != FORMAT and element.get(name) != value for name, value in node.fixed.items()):
            return False
        if node.constant and (element.text or "").strip() not in node.constant:
            return False
        when = node.options.get("when")
        if when in {"own", "tax"}:
            return (element.get("currencyID", self.currency) == self.currency) is (when == "own")
        return when is None or self.dialect.conditions[when](element, self.currency)

    def _attributes(self, node: Node, element: Element, scope: Scope) -> None:
        for name, value in element.attrib.items():
            binding = node.attributes.get(name)
            if binding is not None:
                if value.strip():
                    self._put(node, binding, value.strip(), element, scope, is_attribute=True)
            elif name in node.fixed:
                if value != node.fixed[name]:
                    message = f"{name}={shown(value)} is written, only {node.fixed[name]} is known"
                    raise self._fail(element, message)
            elif name == "currencyID" and node.binding is not None and node.binding.term.datatype in AMOUNTS:
                if value.strip() != self.currency:
                    message = f"the amount is in {shown(value)}, the invoice in {shown(self.currency)}"
                    raise self._fail(element, message)
            elif not name.startswith(_INSTANCE):
                self._leave_out(element, f"/@{self._name(name)}")

    def _put(self, node: Node, binding: Binding, value: object, element: Element, scope: Scope, *, is_attribute: bool = False) -> bool:
        """Keep a value where its term belongs; False where another is there already and this one is left out."""
        term = binding.term
        if term.id in node.contexts:  # one of a repeated term
            holder, name = scope[term.id], binding.part or COMPOSITES[term.datatype][1]
        else:
            holder, name = _holder(scope, node.contexts, term)
            if term.datatype in COMPOSITES:
                holder = holder.setdefault(name, {})
                name = binding.part or COMPOSITES[term.datatype][1]
        if name not in holder:
            holder[name] = value
            return True
        if "spare" in node.flags:
            self._leave_out(element)
            return False
        if not (is_attribute or "shared" in node.flags):
            raise self._fail(element, f"{term.id} ({term.name}) stands twice")
        if holder[name] != value:
            message = f"{term.id} ({term.name}) stands twice, and differs: {shown(str(holder[name]))} and {shown(str(value))}"
            raise self._fail(element, message)
        return True

    def _built(self, term: Term, known: dict[str, Any]) -> object | None:
        """The dataclass of a group, or of a term of several parts. None, and told, where it lacks what it cannot be without."""
        kind = term.kind
        if any(name not in known for name in _mandatory(kind)):
            self.left_out_count += 1
            self.left_out.append(f"{term.id} ({term.name}), which lacks its {' or '.join(_mandatory(kind))}")
            return None
        if not term.is_group:
            return cast("object", kind(**known))
        values: dict[str, Any] = {}
        for name, member in members(term.id).items():
            value = known.get(name)
            if value is None:
                continue
            if isinstance(value, list):
                values[name] = tuple(item for item in (self._built(member, one) for one in value) if item is not None)
            else:
                values[name] = self._built(member, value) if isinstance(value, dict) else value
        if values.get("totals", 0) is None:
            del values["totals"]
        return cast("object", kind(**values))


def _holder(scope: Scope, contexts: tuple[str, ...], term: Term) -> tuple[dict[str, Any], str]:
    """Where a term is kept: the mapping of its group, made where it is the first of it, and its name there."""
    names: list[str] = []
    at = term
    while at.group not in contexts:
        at = TERMS[at.group]
        names.append(at.attribute)
    holder = scope[at.group]
    for name in reversed(names):
        holder = holder.setdefault(name, {})
    return holder, term.attribute


def _mandatory(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING)


_MANDATORY = _mandatory(EInvoice)
_CHILDREN: dict[Node, dict[str, list[Node]]] = {}


def read_document(dialect: Dialect, root: Element, syntax: Syntax) -> Parsed:
    """The document of an element, by its syntax's layout."""
    document, left_out = Reading(dialect, root).document(root)
    return Parsed(
        document=document,
        syntax=syntax,
        profile=profile_of(document.specification_id),
        specification_id=document.specification_id,
        left_out=left_out,
    )


def _place(element: Element) -> str:
    """Which of several of its name it is, as `[2]`; beyond the first of very many by its line."""
    before = [sibling.tag == element.tag for sibling in islice(element.itersiblings(preceding=True), _SIBLINGS_MAX)]
    if len(before) == _SIBLINGS_MAX:
        return f"[line {element.sourceline}]"
    if any(before):
        return f"[{1 + sum(before)}]"
    return "[1]" if any(sibling.tag == element.tag for sibling in islice(element.itersiblings(), _SIBLINGS_MAX)) else ""


def safe_root(body: bytes) -> Element:
    """The document's element. No DTD, no entity, nothing from outside, bounded in size and depth; InputError otherwise."""
    if len(body) > SIZE_MAX:
        message = f"is larger than {SIZE_MAX // 1_000_000} MB, which no e-invoice is"
        raise InputError(message)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        message = f"is not XML: {' '.join((error.msg or '').split())}"
        if "XML_PARSE_HUGE" in message:  # the library's own bounds, in its own words
            what = "one text has more than 10 MB" if "too long" in message else "its elements are nested deeper than 255, or their names are too long"
            message = f"line {error.lineno}: {what}, which is not read"
        raise InputError(message) from None
    except ValueError as error:
        message = f"is not XML: {error}"
        raise InputError(message) from None
    if root.getroottree().docinfo.internalDTD is not None:
        message = "line 1: an e-invoice has no document type declaration (DTD)"
        raise InputError(message)
    return root
