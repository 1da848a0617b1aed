"""Figures and tables of scans."""
