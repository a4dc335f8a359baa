"""Ready nets and solvers to start a session from."""

from barista_server.templates.templates import Template, TemplateError, instantiate, list_templates

__all__ = ["Template", "TemplateError", "instantiate", "list_templates"]
