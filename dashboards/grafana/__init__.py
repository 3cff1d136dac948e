"""Grafana: the dashboards, made from the catalogue, and what provisions them.

The JSON in `dashboards/` is what Grafana reads. The modules here make it with grafana-foundation-sdk, which only developers
have; nothing else of carewatch needs it.
"""
