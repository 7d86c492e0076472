"""The HTTP faces. Only this package knows Starlette; the faces do not import one another."""
