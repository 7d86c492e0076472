"""XML: well-formed, without entities of its own, and never a fetch."""

from __future__ import annotations

import re
from xml.parsers import expat

from helicon_server.domain.formats.problem import SyntaxProblem, locate, problem_at

MAX_DEPTH = 100

_CODES = expat.errors.codes
_UNKNOWN_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);|#)")
_ENTITY_DECLARED = "Entity declarations are not allowed; remove it, and write the text where it is used."
_ENTITY_UNKNOWN = "This entity is not known; only &amp; &lt; &gt; &quot; and &apos; are, or a number such as &#160;."
_TOO_DEEP = f"Elements are nested deeper than {MAX_DEPTH} levels; flatten the document."
_NO_ROOT = "The document has no complete root element; add it."
_NEVER_CLOSED = "This element is never closed; add its closing tag."
_CDATA_NEVER_CLOSED = "This CDATA section is never closed; add ]]>."
_OTHERWISE = "This is not well-formed XML; look at the brackets, quotes and names here."
_ADVICE = {
    _CODES[sentence]: advice
    for sentence, advice in {
        expat.errors.XML_ERROR_SYNTAX: "A tag is expected here; text must stand inside the root element.",
        expat.errors.XML_ERROR_INVALID_TOKEN: "This is not allowed here. Write < as &lt; and & as &amp; in text, "
        "and put attribute values in quotes.",
        expat.errors.XML_ERROR_UNCLOSED_TOKEN: "This tag, entity or comment is never closed; close it.",
        expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "An attribute appears twice in this element; keep one of the two.",
        expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "Something stands behind the root element; remove it.",
        expat.errors.XML_ERROR_MISPLACED_XML_PI: "<?xml … ?> must be the very first; remove what stands before it.",
        expat.errors.XML_ERROR_XML_DECL: "The line <?xml … ?> is malformed; correct it.",
        expat.errors.XML_ERROR_BAD_CHAR_REF: "This number names no character that XML allows; correct it.",
    }.items()
}
_TAG_MISMATCH = _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]
_NO_ELEMENTS = _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]
_INVALID_TOKEN = _CODES[expat.errors.XML_ERROR_INVALID_TOKEN]
_UNDEFINED_ENTITY = _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
_UNCLOSED_CDATA = _CODES[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]


class _Refused(Exception):
    def __init__(self, code: str, message: str, offset: int) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.offset = offset  # in bytes


def check(text: str) -> list[SyntaxProblem]:
    """Report the first problem. A DOCTYPE may name an external DTD, which is never read.

    The text is characters already, so what its `encoding` says about bytes is overruled.
    """
    reader = _Reader(text)
    try:
        reader.parser.Parse(reader.data, True)
    except _Refused as refused:
        return [reader.problem(refused.code, refused.message, refused.offset)]
    except expat.ExpatError as error:
        return [reader.explain(error.code)]
    return []


class _Reader:
    """An expat parser with the byte offsets of the elements that are open.

    Messages do not name elements: in a malformed text, a "name" may be a piece of a value.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text.encode("utf-8")
        self.open: list[int] = []
        self.parser = expat.ParserCreate(encoding="utf-8")
        # Declared default attributes are not copied into every element: they could multiply without end.
        self.parser.specified_attributes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity_declared
        self.parser.SkippedEntityHandler = self._entity_skipped

    def problem(self, code: str, message: str, byte_offset: int) -> SyntaxProblem:
        return problem_at(self.text, self._characters(byte_offset), code, message)

    def explain(self, error: int) -> SyntaxProblem:
        """Turn expat's error into a problem at the place to correct."""
        at = self.parser.ErrorByteIndex
        if error == _UNDEFINED_ENTITY:
            # Inside an attribute, expat shows the beginning of the element.
            found = _UNKNOWN_ENTITY.search(self.text, self._characters(at))
            offset = found.start() if found else self._characters(at)
            return problem_at(self.text, offset, "xml_entity", _ENTITY_UNKNOWN)
        message = _ADVICE.get(error, _OTHERWISE)
        if error == _TAG_MISMATCH and self.open:
            line = locate(self.text, self._characters(self.open[-1]))[0]
            message = f"This closing tag does not match the element opened on line {line}; correct one of them."
            at -= len("</")
        elif error == _NO_ELEMENTS:
            message = _NO_ROOT
            if self.open:
                message, at = _NEVER_CLOSED, self.open[-1]
        elif error == _UNCLOSED_CDATA:
            message, at = _CDATA_NEVER_CLOSED, max(self.data.rfind(b"<![CDATA["), 0)
        elif error == _INVALID_TOKEN and self.data[at - 1 : at] in (b"<", b"&"):
            at -= 1
        return self.problem("xml_syntax", message, at)

    def _characters(self, byte_offset: int) -> int:
        return len(self.data[:byte_offset].decode("utf-8", "ignore"))

    def _start(self, _name: str, _attributes: object) -> None:
        at = self.parser.CurrentByteIndex
        if len(self.open) == MAX_DEPTH:
            raise _Refused("xml_depth", _TOO_DEEP, at)
        self.open.append(at)

    def _end(self, _name: str) -> None:
        self.open.pop()

    def _entity_declared(self, *_declaration: object) -> None:
        at = self.data.rfind(b"<!ENTITY", 0, self.parser.CurrentByteIndex)
        raise _Refused("xml_entity", _ENTITY_DECLARED, max(at, 0))

    def _entity_skipped(self, _name: str, _is_parameter: bool) -> None:
        """A document with an external DTD: the entity may be declared there, but nobody reads it."""
        raise _Refused("xml_entity", _ENTITY_UNKNOWN, self.parser.CurrentByteIndex)
