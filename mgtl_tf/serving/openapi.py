"""The endpoint as an OpenAPI document, for clients made from it."""

from __future__ import annotations

from typing import Any

from mgtl_tf.serving.request_fields import field_schemas

_REFUSALS = {
    "400": "a broken form, or a field that is wrong or unknown",
    "403": "sent by another site's page",
    "408": "the image did not arrive in time",
    "413": "the image is too large",
    "422": "the image cannot be decoded, or no place lies in the circle",
    "503": "busy; try again in a moment",
}


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1: what `/locate` and `/health` take and answer."""
    located = {
        "description": "a list of one, as experiments.locate --format=json",
        "content": {"application/json": {"schema": {"type": "array"}}},
    }
    refused = {
        status: {"description": text} for status, text in _REFUSALS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cross-view geo-localization", "version": "1"},
        "paths": {
            "/locate": {
                "post": {
                    "summary": "The places that a panorama looks most like",
                    "parameters": [
                        {"name": name, "in": "query", "schema": schema}
                        for name, schema in field_schemas().items()
                    ],
                    "requestBody": {"required": True, "content": _images()},
                    "responses": {"200": located, **refused},
                }
            },
            "/health": {
                "get": {
                    "summary": "Whether it is up, and what it serves",
                    "responses": {"200": {"description": "it is up"}},
                }
            },
        },
    }


def _images() -> dict[str, Any]:
    """An image by itself, or in a form with the fields."""
    image = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": image, **field_schemas()},
        "additionalProperties": False,
    }
    return {
        "multipart/form-data": {"schema": form},
        "application/octet-stream": {"schema": image},
    }
