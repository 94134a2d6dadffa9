"""Which names an aggregate uses: enough of SQL to find a misspelt field when the catalogue is imported."""

import re
from typing import Final

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\d+(?:\.\d+)?|[A-Za-z_]\w*|\$\w+|->|\S")
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORDS: Final = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "AS", "DISTINCT", "BETWEEN", "LIKE"})


def fields_of(sql: str) -> frozenset[str]:
    """Names in an expression that are neither functions, keywords, lambda arguments nor text."""
    tokens = _TOKEN.findall(sql)
    bound = _lambda_arguments(tokens)
    return frozenset(
        token
        for token, after in zip(tokens, [*tokens[1:], ""], strict=True)
        if _NAME.fullmatch(token) and after != "(" and token.upper() not in _WORDS and token not in bound
    )


def divides(sql: str) -> bool:
    """Whether an expression holds a division: as an aggregate it would be a stored ratio."""
    tokens = _TOKEN.findall(sql)
    return "/" in tokens or any(token.lower().startswith(("avg", "divide", "quantile")) for token in tokens)


def _lambda_arguments(tokens: list[str]) -> frozenset[str]:
    bound: set[str] = set()
    for index, token in enumerate(tokens):
        if token != "->":
            continue
        before = index - 1
        if tokens[before] != ")":
            bound.add(tokens[before])
            continue
        while tokens[before] != "(":
            bound.add(tokens[before])
            before -= 1
    return frozenset(bound - {",", ")"})
