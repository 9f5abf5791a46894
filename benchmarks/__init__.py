"""Measurements that print ratios within one run; none of them is a test."""
