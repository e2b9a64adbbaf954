"""The GraphiQL page of the gateway: its sources, its build and the place where the build lies.

The page is built from locked npm packages and belongs to no commit. This package must not serve
it: the web layer asks :mod:`gateway.console.pages` for the built files and adds the routes.
"""
