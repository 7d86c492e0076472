"""The delivery plane: reads and long polls of the Apollo client protocol, served from memory.

``plane.DeliveryPlane`` is its face. Nothing here knows ASGI, Starlette, SQL or a particular bus.
"""
