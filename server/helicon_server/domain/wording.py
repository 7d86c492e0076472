"""Puts a validator's sentences into the words of the person who reads them."""

from __future__ import annotations

_FOR_PEOPLE = (
    ("Input should be a valid string", "must be a string, in quotes"),
    ("Input should be a valid integer, unable to parse string as an integer", "must be a whole number"),
    ("Input should be a valid integer", "must be a whole number"),
    ("Input should be a valid number, unable to parse string as a number", "must be a number"),
    ("Input should be a valid boolean", "must be true or false"),
    ("Input should be a valid list", "must be a list"),
    ("Input should be a valid dictionary or instance of", "must be an object:"),
    ("Extra inputs are not permitted", "is not known here"),
    ("Field required", "is missing"),
    ("Input should", "must"),
    ("String should", "must"),
    ("List should", "must"),
    ("Set should", "must"),
)


def for_people(message: str) -> str:
    """Rewords the beginning of a validator's message; an unknown one is returned as it is."""
    for begin, words in _FOR_PEOPLE:
        if message.startswith(begin):
            return words + message[len(begin) :]
    return message
